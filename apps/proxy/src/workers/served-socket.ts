/** Serves connections on an HTTP server that does not listen itself. */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Each connection carries one request: the next one may belong to another process. Clients connect again. */
export function serveOneRequest(server: Server): void {
  // With this, the server watches the time limits of its connections.
  server.emit('listening');
  server.maxRequestsPerSocket = 1;
  server.prependListener('request', (_request, response) => (response.shouldKeepAlive = false));
}

/** @param head what was already read from the socket */
export function serveSocket(server: Server, socket: Socket, head: Buffer): void {
  // As the sockets of an HTTP server: a client may close its side after its request.
  socket.allowHalfOpen = true;
  socket.unshift(head);
  server.emit('connection', socket);
  // It is paused while its head is judged.
  socket.resume();
}
