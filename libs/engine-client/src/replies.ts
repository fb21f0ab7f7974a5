import { rehostEngineUrl, type EngineAddress } from './address.js';
import { EngineBadReplyError, EngineError, EngineRefusedError, UnknownSessionError } from './errors.js';

/** `get_version`. */
export interface EngineVersion {
  /** e.g. "3.2.11" */
  version: string;
  /** major·1e6 + minor·1e4 + patch·100, e.g. 3021100; null where the engine did not say. */
  code: number | null;
  platform: string | null;
}

/** `get_status`; null is what the engine did not say. */
export interface EngineStatus {
  playlistLoaded: boolean | null;
  version: EngineVersion | null;
  /** kB/s of all sessions together; only some builds tell. */
  speedDown: number | null;
  /** kB/s */
  speedUp: number | null;
}

export type PlaybackKind = 'ts' | 'hls';

/** An engine session that was started. The URLs are on the address we know, whatever host the engine named. */
export interface Playback {
  kind: PlaybackKind;
  playbackUrl: string;
  statUrl: string;
  commandUrl: string;
  /** 40 hexadecimal digits, lower case; null where the engine did not say. */
  infohash: string | null;
  playbackSessionId: string;
  isLive: boolean;
  /** An encrypted content plays in HLS only. */
  isEncrypted: boolean;
}

/** The live window, in unix seconds. */
export interface LivePosition {
  /** Where the player is. */
  pos: number | null;
  /** The live edge. */
  liveLast: number | null;
  /** The oldest moment that can be sought. */
  liveFirst: number | null;
  bufferPieces: number | null;
}

/** What an engine says of a session; null is what it did not say. */
export interface PlaybackStat {
  /** `idle`, `check`, `loading`, `starting`, `prebuf`, `buf`, `wait`, `dl`, `err` and what newer engines invent. */
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
  /** 0 to 100, while prebuffering. */
  progress: number | null;
  /** Absent in early prebuffering and for what is not live. */
  livePosition: LivePosition | null;
  /** May change under our feet when another start took the session over. */
  playbackSessionId: string | null;
  errorMessage: string | null;
}

type JsonObject = Record<string, unknown>;

/** One reply as it came: what was asked (for messages), the HTTP status and the body. */
export interface RawReply {
  what: string;
  status: number;
  body: string;
}

const UNKNOWN_SESSION = /unknown playback session/i;
const INFOHASH_IN_PATH = /\/ace\/(?:r|m|stat|cmd)\/([0-9a-f]{40})\//i;
/** How much of a useless reply goes into an error message. */
const SNIPPET = 120;

/**
 * The `response` or `result` of a JSON reply.
 * @throws EngineRefusedError | UnknownSessionError with the engine's text; EngineBadReplyError when it is no such reply
 */
export function parseEnvelope(reply: RawReply, key: 'response' | 'result'): unknown {
  const { what, status, body } = reply;
  if (status !== 200) throw new EngineBadReplyError(what, `HTTP ${status} ${snippet(body)}`, status);
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch (cause) {
    throw new EngineBadReplyError(what, `not JSON: ${snippet(body)}`, status, { cause });
  }
  if (!isObject(parsed)) throw new EngineBadReplyError(what, `not an object: ${snippet(body)}`, status);
  const reason = errorText(parsed.error);
  if (reason !== null) {
    if (UNKNOWN_SESSION.test(reason)) throw new UnknownSessionError(`${what}: ${reason}`);
    throw new EngineRefusedError(what, reason, status);
  }
  const value = parsed[key];
  if (value === undefined || value === null) throw new EngineBadReplyError(what, `no ${key} and no error: ${snippet(body)}`, status);
  return value;
}

/** {@link parseEnvelope} where only an object will do. */
export function parseObject(reply: RawReply, key: 'response' | 'result'): JsonObject {
  const value = parseEnvelope(reply, key);
  if (!isObject(value)) throw new EngineBadReplyError(reply.what, `${key} is no object: ${snippet(reply.body)}`, reply.status);
  return value;
}

export function parseVersion(reply: RawReply): EngineVersion {
  const version = toVersion(parseObject(reply, 'result'));
  if (version === null) throw new EngineBadReplyError(reply.what, 'version is missing', reply.status);
  return version;
}

export function parseStatus(reply: RawReply): EngineStatus {
  const result = parseObject(reply, 'result');
  return {
    playlistLoaded: typeof result.playlist_loaded === 'boolean' ? result.playlist_loaded : null,
    version: isObject(result.version) ? toVersion(result.version) : null,
    speedDown: toNumber(result.speed_down),
    speedUp: toNumber(result.speed_up),
  };
}

export function parsePlayback(reply: RawReply, kind: PlaybackKind, address: EngineAddress): Playback {
  const response = parseObject(reply, 'response');
  const url = (name: string): string => {
    const value = required(reply, response, name);
    try {
      return rehostEngineUrl(value, address).href;
    } catch (cause) {
      throw new EngineBadReplyError(reply.what, `${name} is no URL: ${snippet(value)}`, reply.status, { cause });
    }
  };
  const playbackUrl = url('playback_url');
  return {
    kind,
    playbackUrl,
    statUrl: url('stat_url'),
    commandUrl: url('command_url'),
    infohash: toInfohash(response.infohash) ?? INFOHASH_IN_PATH.exec(playbackUrl)?.[1].toLowerCase() ?? null,
    playbackSessionId: required(reply, response, 'playback_session_id'),
    // Live is what this system is for, so that is what a silent engine is taken to mean.
    isLive: (toNumber(response.is_live) ?? 1) > 0,
    isEncrypted: (toNumber(response.is_encrypted) ?? 0) > 0,
  };
}

/** The command URL of a start's reply that may be of no other use; null where there is none. */
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
    // Old builds write camel case.
    speedDown: toNumber(response.speed_down ?? response.speedDown),
    speedUp: toNumber(response.speed_up ?? response.speedUp),
    downloaded: toNumber(response.downloaded),
    uploaded: toNumber(response.uploaded),
    progress: toNumber(response.progress),
    livePosition: isObject(response.livepos) ? toLivePosition(response.livepos) : null,
    playbackSessionId: toText(response.playback_session_id),
    errorMessage: toText(response.error_message),
  };
}

/** The start of a text, on one line. */
export function snippet(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > SNIPPET ? `${line.slice(0, SNIPPET)}…` : line;
}

function toVersion(from: JsonObject): EngineVersion | null {
  const version = toText(from.version);
  return version === null ? null : { version, code: toNumber(from.code), platform: toText(from.platform) };
}

function toLivePosition(from: JsonObject): LivePosition {
  return {
    pos: toNumber(from.pos),
    liveLast: toNumber(from.live_last),
    liveFirst: toNumber(from.live_first),
    bufferPieces: toNumber(from.buffer_pieces),
  };
}

function required(reply: RawReply, from: JsonObject, name: string): string {
  const value = toText(from[name]);
  if (value === null) throw new EngineBadReplyError(reply.what, `${name} is missing`, reply.status);
  return value;
}

/** Engines write an error as a text, or as `{message, code}` in api version 3; null is none. */
function errorText(error: unknown): string | null {
  if (error === null || error === undefined || error === '') return null;
  if (typeof error === 'string') return error;
  if (isObject(error)) return toText(error.message) ?? JSON.stringify(error);
  return String(error);
}

/** Numbers come as numbers, as texts of digits and, for flags, as booleans. */
function toNumber(value: unknown): number | null {
  if (typeof value === 'boolean') return value ? 1 : 0;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : null;
}

function toText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function toInfohash(value: unknown): string | null {
  return typeof value === 'string' && /^[0-9a-f]{40}$/i.test(value) ? value.toLowerCase() : null;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
