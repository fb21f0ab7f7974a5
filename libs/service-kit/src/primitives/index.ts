/** What every package may use: one implementation of each primitive. Imports no framework, so that the hot path and pure code may use it. */
export * from './backoff.js';
export * from './bounded-map.js';
export * from './clock.js';
export * from './coded-error.js';
export * from './control-groups.js';
export * from './deadline.js';
export * from './json.js';
export * from './listener-set.js';
export * from './one-shot-timer.js';
export * from './worker-pool.js';
export * from './wakeable-loop.js';
