/** Sends the same bytes to every request, for orchestrator.mjs: what Node itself costs. */
import { once } from 'node:events';
import http from 'node:http';

const [{ text }] = await once(process, 'message');
const body = Buffer.from(text);
const server = http.createServer((_request, response) =>
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': body.length }).end(body),
);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
process.send({ port: server.address().port });
process.once('disconnect', () => process.exit());
