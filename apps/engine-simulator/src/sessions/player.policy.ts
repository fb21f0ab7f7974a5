/**
 * What a new playback does to those that already run, as in engine 3.2. A player that starts another content ends its earlier one. Another
 * player of a running content ends that session or joins it. All others run side by side.
 */

export type PlaybackKind = 'ts' | 'hls';

export interface Playback {
  infohash: string;
  pid: string;
  kind: PlaybackKind;
}

export type StartDecision<S> = { do: 'join'; session: S; end: S[] } | { do: 'open'; end: S[] } | { do: 'refuse' };

/** `request` is a player and content that have no session of this kind yet. */
export function decideStart<S extends Playback>(
  active: readonly S[],
  request: Playback,
  supersede: 'kill' | 'alias',
  maxStreams: number | null,
): StartDecision<S> {
  const sameContent = active.filter((session) => session.infohash === request.infohash);
  const samePlayer = active.filter((session) => session.pid === request.pid && session.infohash !== request.infohash);
  const sameKind = sameContent.find((session) => session.kind === request.kind);
  if (supersede === 'alias' && sameKind) return { do: 'join', session: sameKind, end: samePlayer };
  const end = [...sameContent, ...samePlayer];
  return maxStreams !== null && active.length - end.length >= maxStreams ? { do: 'refuse' } : { do: 'open', end };
}
