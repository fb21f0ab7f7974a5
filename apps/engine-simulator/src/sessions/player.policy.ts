/**
 * What a start does to the playbacks that already run (engine 3.2: same player and content is the same session, same player and other
 * content ends the earlier one, other players of one content end or join the first, everything else runs side by side).
 */

export type PlaybackKind = 'ts' | 'hls';

export interface Playing {
  infohash: string;
  pid: string;
  kind: PlaybackKind;
}

export interface StartRequest extends Playing {
  /** `force_session_restart`: an own earlier session does not count. */
  restart: boolean;
}

export type StartDecision<S> =
  | { do: 'reuse'; session: S }
  | { do: 'alias'; session: S; end: S[] }
  | { do: 'open'; end: S[] }
  | { do: 'refuse'; reason: 'failed to start' };

export function decideStart<S extends Playing>(
  active: readonly S[],
  request: StartRequest,
  supersede: 'kill' | 'alias',
  maxStreams: number | null,
): StartDecision<S> {
  const own = active.find(
    (session) => session.pid === request.pid && session.infohash === request.infohash && session.kind === request.kind,
  );
  if (own && !request.restart) return { do: 'reuse', session: own };
  const sameContent = active.filter((session) => session.infohash === request.infohash);
  const sameKind = sameContent.find((session) => session.kind === request.kind && session !== own);
  const samePlayer = active.filter((session) => session.pid === request.pid && session.infohash !== request.infohash);
  if (supersede === 'alias' && sameKind) return { do: 'alias', session: sameKind, end: samePlayer };
  const end = [...new Set([...sameContent, ...samePlayer])];
  if (maxStreams !== null && active.length - end.length >= maxStreams) return { do: 'refuse', reason: 'failed to start' };
  return { do: 'open', end };
}
