/** The loopback address of an engine, for many engines that share a port. */
export const engineHost = (index) => `127.1.${index >> 8}.${index & 255}`;
