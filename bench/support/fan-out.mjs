/** A fan-out under measurement: source, server and viewers, each in its own process. */
import { fork } from 'node:child_process';
import { once } from 'node:events';

/** Bytes of one piece from an engine. */
export const ARRIVAL_BYTES = 8192;

/** Starts the three processes and waits until every viewer is served. `clients` is the file of the viewers, `options` what it gets in addition to the port. */
export async function startFanOut({ contender, streams = 1, bytesPerSecond, arrivalBytes = ARRIVAL_BYTES }, clients, options) {
  const [source, server, viewers] = ['fan-out-source.mjs', 'fan-out-server.mjs', clients].map((file) =>
    fork(new URL(`../${file}`, import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  source.send({ bytesPerSecond, arrivalBytes });
  const { port: sourcePort } = await reply(source, 'listening');
  server.send({ contender, streams, sourcePort });
  const { port } = await reply(server, 'listening');
  viewers.send({ port, streams, ...options });
  await reply(viewers, 'all-served');
  return {
    server,
    viewers,
    async stop() {
      for (const child of [source, viewers, server]) child.kill();
      await once(viewers, 'exit');
    },
  };
}

/** The next message of this type. */
export async function reply(child, type) {
  for (;;) {
    const [message] = await once(child, 'message');
    if (message.type === type) return message;
  }
}
