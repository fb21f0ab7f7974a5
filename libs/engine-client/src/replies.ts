import { isObject, type JsonObject, snippet, toText } from '@acexy/service-kit/primitives';
import { rehostEngineUrl, type EngineAddress } from './address.js';
import { EngineBadReplyError, EngineError, EngineRefusedError, UnknownSessionError } from './errors.js';

export type PlaybackKind = 'ts' | 'hls';

/** A started engine session. Its URLs have the host and port of the engine, whatever host the engine put into them. */
export interface Playback {
  kind: PlaybackKind;
  playbackUrl: string;
  statUrl: string;
  commandUrl: string;
  /** 40 hexadecimal digits, lower case; null when the engine did not report it. */
  infohash: string | null;
  playbackSessionId: string;
  isLive: boolean;
  /** Encrypted content plays in HLS only. */
  isEncrypted: boolean;
}

/** What an engine knows of a content. A value is null when the engine did not report it. */
export interface ContentDescription {
  /** 40 hexadecimal digits, lower case. */
  infohash: string | null;
  /** On one line, at most 200 characters. */
  title: string | null;
}

/** Statistics of a session. A value is null when the engine did not report it. */
export interface PlaybackStat {
  /** `idle`, `check`, `loading`, `starting`, `prebuf`, `buf`, `wait`, `dl`, `err`, or a status of a newer engine. */
  status: string | null;
  peers: number | null;
  /** kB/s */
  speedDown: number | null;
  /** kB/s */
  speedUp: number | null;
  /** bytes */
  downloaded: number | null;
  /** bytes */
  uploaded: number | null;
}

/** A reply before it is parsed. */
export interface RawReply {
  /** What was requested, for error messages. */
  what: string;
  status: number;
  body: string;
}

/** Characters of a title, which the publisher of the content chose. */
const MAX_TITLE = 200;
/** In the words of different engines. */
const UNKNOWN_SESSION = /(?:unknown|invalid or expired) playback session/i;
/** Limits of a report to the orchestrator, which refuses a report with longer texts. */
const MAX_URL = 2048;
const SESSION_ID = /^[\x21-\x7e]{1,200}$/;
/** Characters of an engine's error text. */
const MAX_REASON = 300;
const INFOHASH = /^[0-9a-f]{40}$/i;
const INFOHASH_IN_PATH = /\/ace\/(?:r|m|stat|cmd)\/([0-9a-f]{40})\//i;

/**
 * The `response` or `result` of a JSON reply.
 * @throws EngineRefusedError | UnknownSessionError with the engine's text; EngineBadReplyError for every other reply
 */
export function parseEnvelope(reply: RawReply, key: 'response' | 'result'): unknown {
  const { what, status, body } = reply;
  if (status !== 200) throw new EngineBadReplyError(what, `HTTP ${status} ${snippet(body)}`, status);
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    // The parser's own message would quote the body, which may be media.
    throw new EngineBadReplyError(what, `not JSON: ${snippet(body)}`, status);
  }
  if (!isObject(parsed)) throw new EngineBadReplyError(what, `not a JSON object: ${snippet(body)}`, status);
  const reason = errorText(parsed.error);
  if (reason !== null) {
    if (UNKNOWN_SESSION.test(reason)) throw new UnknownSessionError(`${what}: ${reason}`);
    throw new EngineRefusedError(what, reason);
  }
  const value = parsed[key];
  if (value === undefined || value === null) throw new EngineBadReplyError(what, `no ${key} and no error: ${snippet(body)}`, status);
  return value;
}

/** Like {@link parseEnvelope}, for calls that return an object. */
export function parseObject(reply: RawReply, key: 'response' | 'result'): JsonObject {
  const value = parseEnvelope(reply, key);
  if (!isObject(value)) throw new EngineBadReplyError(reply.what, `${key} is not an object: ${snippet(reply.body)}`, reply.status);
  return value;
}

export function parsePlayback(reply: RawReply, kind: PlaybackKind, address: EngineAddress): Playback {
  const response = parseObject(reply, 'response');
  const url = (name: string): string => {
    const value = toText(response[name]);
    if (value === null) throw new EngineBadReplyError(reply.what, `${name} is missing`, reply.status);
    const href = onEngine(value, address);
    if (href === null || href.length > MAX_URL)
      throw new EngineBadReplyError(reply.what, `${name} is not a URL of at most ${MAX_URL} characters: ${snippet(value)}`, reply.status);
    return href;
  };
  const playbackUrl = url('playback_url');
  const statUrl = url('stat_url');
  return {
    kind,
    playbackUrl,
    statUrl,
    commandUrl: url('command_url'),
    infohash: toInfohash(response.infohash) ?? INFOHASH_IN_PATH.exec(playbackUrl)?.[1].toLowerCase() ?? null,
    playbackSessionId: toSessionId(response.playback_session_id) ?? sessionIdIn(statUrl),
    // Most contents are live, so that is the default.
    isLive: (toNumber(response.is_live) ?? 1) > 0,
    isEncrypted: (toNumber(response.is_encrypted) ?? 0) > 0,
  };
}

export function parseDescription(reply: RawReply): ContentDescription {
  const { infohash, title } = parseObject(reply, 'result');
  return { infohash: toInfohash(infohash), title: toText(snippet((toText(title) ?? '').replace(/\p{Cc}+/gu, ' '), MAX_TITLE)) };
}

/** The command URL in the reply to a start that is otherwise unusable; null when there is none. */
export function findCommandUrl(reply: RawReply): string | null {
  try {
    return toText(parseObject(reply, 'response').command_url);
  } catch (error) {
    if (error instanceof EngineError) return null;
    throw error;
  }
}

export function parseStat(reply: RawReply): PlaybackStat {
  const response = parseObject(reply, 'response');
  return {
    status: toText(response.status),
    peers: toNumber(response.peers),
    // Old builds use camel case.
    speedDown: toNumber(response.speed_down ?? response.speedDown),
    speedUp: toNumber(response.speed_up ?? response.speedUp),
    downloaded: toNumber(response.downloaded),
    uploaded: toNumber(response.uploaded),
  };
}

/** null when it is no http(s) URL. */
function onEngine(url: string, address: EngineAddress): string | null {
  try {
    return rehostEngineUrl(url, address).href;
  } catch {
    return null; // TypeError, the only error of URL
  }
}

/** null for what is no id. Some engines send a number. */
function toSessionId(value: unknown): string | null {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && SESSION_ID.test(text) ? text : null;
}

/** Some engines send no session id: then the end of the URL of the session, which is new for every player, identifies it. */
function sessionIdIn(url: string): string {
  return (url.slice(url.lastIndexOf('/') + 1) || url).slice(-200);
}

/** 40 hexadecimal digits in lower case; null for everything else. */
export function toInfohash(value: unknown): string | null {
  return typeof value === 'string' && INFOHASH.test(value) ? value.toLowerCase() : null;
}

/** Engines report an error as a text, or in API version 3 as `{message, code}`. */
function errorText(error: unknown): string | null {
  if (error === null || error === undefined || error === '') return null;
  if (typeof error === 'string') return snippet(error, MAX_REASON);
  return snippet((isObject(error) && toText(error.message)) || JSON.stringify(error), MAX_REASON);
}

/** Engines send numbers as numbers, as strings of digits and, for flags, as booleans. */
function toNumber(value: unknown): number | null {
  if (typeof value === 'boolean') return value ? 1 : 0;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}
