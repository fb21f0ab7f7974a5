export * from './address.js';
export * from './client.js';
export * from './errors.js';
export type { ContentDescription, Playback, PlaybackKind, PlaybackStat } from './replies.js';
