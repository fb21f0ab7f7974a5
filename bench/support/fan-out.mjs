/** A fan-out under measurement: source, server and viewers, each in its own process. */
import { fork } from 'node:child_process';
import { once } from 'node:events';

/** Bytes of one piece from an engine. */
export const ARRIVAL_BYTES = 8192;

/** Milliseconds until every viewer must have 100 kB. A contender that cannot do this is measured all the same. */
const SERVED_LIMIT_MS = 30_000;
/** Milliseconds for any other message of a process. */
const REPLY_LIMIT_MS = 60_000;

/**
 * Starts the three processes and waits until every viewer is served, or the limit is over. `clients` is the file of the viewers, `options` what it
 * gets in addition to the port.
 */
export async function startFanOut({ contender, streams = 1, bytesPerSecond, arrivalBytes = ARRIVAL_BYTES }, clients, options) {
  const [source, server, viewers] = ['fan-out-source.mjs', 'fan-out-server.mjs', clients].map((file) =>
    fork(new URL(`../${file}`, import.meta.url), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }),
  );
  source.send({ bytesPerSecond, arrivalBytes });
  const { port: sourcePort } = await reply(source, 'listening');
  server.send({ contender, streams, sourcePort });
  const { port } = await reply(server, 'listening');
  viewers.send({ port, streams, ...options });
  const allServed = await reply(viewers, 'all-served', SERVED_LIMIT_MS).then(
    () => true,
    (error) => {
      if (error.name !== 'AbortError') throw error;
      return false;
    },
  );
  return {
    allServed,
    server,
    viewers,
    async stop() {
      for (const child of [source, viewers, server]) child.kill();
      await once(viewers, 'exit');
    },
  };
}

/** The next message of this type. @throws if it does not arrive in time */
export async function reply(child, type, limitMs = REPLY_LIMIT_MS) {
  const signal = AbortSignal.timeout(limitMs);
  for (;;) {
    const [message] = await once(child, 'message', { signal });
    if (message.type === type) return message;
  }
}
