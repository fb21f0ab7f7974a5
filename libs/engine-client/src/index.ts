export * from './address.js';
export * from './client.js';
export * from './errors.js';
export type { EngineStatus, EngineVersion, LivePosition, Playback, PlaybackKind, PlaybackStat } from './replies.js';
