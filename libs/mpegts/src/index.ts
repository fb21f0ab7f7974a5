export * from './packet.js';
export * from './psi.js';
export * from './timestamps.js';
