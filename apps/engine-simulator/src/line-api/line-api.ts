/** The API port (62062): a CRLF line protocol, one connection for each client. */
import { type Server, createServer } from 'node:net';
import type { EngineParts } from '../engine-parts.js';
import { LineConnection } from './line-connection.js';

export class LineApi {
  readonly server: Server;

  /** `httpPort` tells the HTTP port in use, which START addresses name. */
  constructor(engine: EngineParts, httpPort: () => number) {
    this.server = createServer((socket) => new LineConnection(engine, socket, httpPort).start());
  }
}
