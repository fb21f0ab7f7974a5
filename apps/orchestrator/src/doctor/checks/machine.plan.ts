/** Resources of the machine. */
import type { Check } from '../check.js';
import type { DiskFacts } from '../facts.js';
import { bytes, seconds } from '../units.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';
import { ENGINE_BYTES } from './settings.plan.js';

const MIN_NODE = [20, 19];
/** `Date` headers have whole seconds, and the reply takes time. */
const CLOCK_TOLERANCE_MS = 3_000;
const CLOCK_WRONG_MS = 30_000;
const LOW_DISK_BYTES = 1e9;
const FULL_DISK_BYTES = 200e6;
const LOW_MEMORY_BYTES = 500e6;
const FULL_MEMORY_BYTES = 150e6;
const FEW_OPEN_FILES = 4_096;
/** Share of a limit above which it counts as reached. */
const NEAR_LIMIT = 0.8;

export const nodeIsNewEnough: Check = {
  id: 'node',
  question: 'Is Node new enough?',
  look: ({ machine: { node } }) => {
    const [major, minor] = node.replace(/^v/, '').split('.').map(Number);
    if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return [good(`Node ${node}`)];
    return [wrong(`Node ${node} is too old`, `Install Node ${MIN_NODE.join('.')} or newer.`)];
  },
};

export const clockIsRight: Check = {
  id: 'clock',
  question: 'Is the clock right, and the same everywhere?',
  look: ({ now, machine, docker, orchestrator, proxy }) => {
    if (now < machine.builtAt - CLOCK_WRONG_MS)
      return [
        wrong(
          `the clock shows ${new Date(now).toISOString()}, which is before this build was made`,
          'Set the clock (`timedatectl set-ntp true`): with a wrong one, certificates and image pulls fail.',
        ),
      ];
    const offsets: [string, number | null][] = [
      ['Docker', docker?.reached && docker.host?.clock != null ? docker.host.clock - now : null],
      ['the orchestrator', orchestrator.reached ? orchestrator.clockOffsetMs : null],
      ['the proxy', proxy.reached ? proxy.clockOffsetMs : null],
    ];
    const problems = offsets.flatMap(([who, offset]) => {
      if (offset === null || Math.abs(offset) <= CLOCK_TOLERANCE_MS) return [];
      const says = `the clock of ${who} is ${seconds(Math.abs(offset))} ${offset > 0 ? 'ahead' : 'behind'}`;
      const cure = 'Synchronize the clocks of both machines (`timedatectl set-ntp true`).';
      return [Math.abs(offset) > CLOCK_WRONG_MS ? wrong(says, cure) : warning(says, cure)];
    });
    return orGood(problems, 'all compared clocks agree');
  },
};

export const processorsKeepUp: Check = {
  id: 'cpu',
  question: 'Is the processor overloaded?',
  look: ({ machine: { load, processors } }) => {
    const state = `load ${load.toFixed(1)} on ${processors} processors`;
    if (load <= 2 * processors) return [good(state)];
    return [
      warning(
        `${state}: processes wait for a processor`,
        '`top` shows which program uses them. Run fewer engines (MAX_REPLICAS), or give the services and `docker` more processors in the compose file.',
      ),
    ];
  },
};

export const memorySuffices: Check = {
  id: 'memory',
  question: 'Is there enough memory?',
  look: ({ machine: { memory }, settings, docker, enginesMemoryBytes }) => {
    const problems: Verdict[] = [];
    const left = `${bytes(memory.available)} of ${bytes(memory.total)} memory are left`;
    if (memory.available < FULL_MEMORY_BYTES) problems.push(wrong(left, 'Stop programs or add memory, otherwise processes are killed.'));
    else if (memory.available < LOW_MEMORY_BYTES)
      problems.push(warning(left, '`docker stats --no-stream` and `top` show which program uses it.'));
    if (settings !== null && docker !== null) {
      const needed = settings.engineLimit * ENGINE_BYTES;
      const total = docker.reached && docker.host ? docker.host.memory : null;
      const need = `${settings.engineLimit} engines (MAX_REPLICAS) need about ${bytes(needed)} memory`;
      if (enginesMemoryBytes !== null && enginesMemoryBytes < needed * 0.9)
        problems.push(
          warning(`${need}, but ENGINES_MEMORY allows ${bytes(enginesMemoryBytes)}`, 'Raise ENGINES_MEMORY, or lower MAX_REPLICAS.'),
        );
      if (total !== null && total < needed)
        problems.push(
          warning(
            `${need}, but the machine of Docker has ${bytes(total)}`,
            'Lower MAX_REPLICAS, or set ENGINE_MEMORY_LIMIT, or add memory.',
          ),
        );
    }
    return orGood(problems, left);
  },
};

export const disksHaveSpace: Check = {
  id: 'disk',
  question: 'Is there disk space?',
  look: ({ machine: { disks } }) =>
    orGood(disks.flatMap(judgeDisk), disks.map(({ what, free }) => `${what}: ${bytes(free)} free`).join(', ')),
};

function judgeDisk({ what, path, free, total, writable }: DiskFacts): Verdict[] {
  const left = `${what} (${path}) has ${bytes(free)} of ${bytes(total)} left`;
  if (!writable)
    return [wrong(`${what} (${path}) cannot be written`, `Allow this user to write there (\`ls -ld ${path}\`), or mount it writable.`)];
  if (free < FULL_DISK_BYTES)
    return [
      wrong(
        left,
        'Free disk space: `docker system df` shows the use of images and containers, `docker image prune -f` removes old images.',
      ),
    ];
  if (free < LOW_DISK_BYTES) return [warning(left, 'Free disk space before it is full: `docker system df`, `docker image prune -f`.')];
  return [];
}

export const openFilesSuffice: Check = {
  id: 'files',
  question: 'Are there enough file descriptors and connections?',
  look: ({ machine, proxySettings, proxy }) => {
    const problems: Verdict[] = [];
    const limit = (proxy.reached && proxy.scrape?.sum('process_max_fds')) || machine.openFiles;
    if (limit !== null && limit < FEW_OPEN_FILES)
      problems.push(
        warning(
          `a process may open ${limit} files (ulimit -n); every viewer needs one`,
          'Raise it to 65536 (`ulimit -n 65536`, LimitNOFILE=).',
        ),
      );
    else if (limit !== null && proxySettings !== null && limit < proxySettings.maxConnections)
      problems.push(
        warning(
          `ACEXY_MAX_CONNECTIONS=${proxySettings.maxConnections}, but a process may open only ${limit} files`,
          'Raise the limit of open files above it, or lower ACEXY_MAX_CONNECTIONS.',
        ),
      );
    const viewers = proxy.reached ? (proxy.scrape?.sum('acexy_viewers') ?? null) : null;
    if (viewers !== null && proxySettings !== null && viewers > proxySettings.maxConnections * NEAR_LIMIT)
      problems.push(
        wrong(
          `${viewers} viewers of at most ${proxySettings.maxConnections} (ACEXY_MAX_CONNECTIONS)`,
          'Raise ACEXY_MAX_CONNECTIONS and the limit of open files, or run a second proxy (deploy/two-proxies).',
        ),
      );
    const all = machine.openFilesOfAll;
    if (all !== null && all.used > all.max * NEAR_LIMIT)
      problems.push(
        wrong(
          `this machine has ${all.used} of ${all.max} files open`,
          'Raise the limit: `sysctl fs.file-max`; `lsof | wc -l` counts open files.',
        ),
      );
    return orGood(problems, limit === null ? 'nothing is near its limit' : `${limit} files for a process`);
  },
};

export const portsAreAvailable: Check = {
  id: 'ports',
  question: 'Are the ports available?',
  look: ({ machine: { ports }, orchestrator, proxy, settings }) => {
    if (ports.length === 0)
      return [unknown(settings === null ? 'the settings are invalid' : 'the services run on other machines or in other containers')];
    const problems = ports.flatMap(({ setting, port, taken }) => {
      const ours = setting === 'APP_PORT' ? orchestrator.reached : proxy.reached;
      if (!taken || ours) return [];
      return [
        wrong(
          `port ${port} (${setting}) is in use by another program, or by a service that does not answer`,
          `\`ss -ltnp 'sport = :${port}'\` names the program. Stop it, or choose another ${setting}.`,
        ),
      ];
    });
    return orGood(problems, ports.map(({ setting, port, taken }) => `${port} (${setting}) ${taken ? 'answers' : 'is free'}`).join(', '));
  },
};
