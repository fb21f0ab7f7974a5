/** What the machine has to give. */
import type { Check } from '../check.js';
import type { DiskFacts } from '../facts.js';
import { bytes, percent, seconds } from '../units.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';
import { ENGINE_BYTES } from './settings.plan.js';

const LEAST_NODE = [20, 19];
/** `Date` headers have whole seconds, and the answer takes its time. */
const CLOCKS_AGREE_MS = 3_000;
const CLOCKS_DIFFER_MS = 30_000;
const LITTLE_DISK = 1e9;
const NO_DISK = 200e6;
const LITTLE_MEMORY = 500e6;
const NO_MEMORY = 150e6;
const FEW_FILES = 4_096;
/** Of open files, connections and the like. */
const NEARLY_ALL = 0.8;

export const nodeIsNewEnough: Check = {
  id: 'node',
  asks: 'Does Node fit?',
  look: ({ machine: { node } }) => {
    const [major, minor] = node.replace(/^v/, '').split('.').map(Number);
    if (major > LEAST_NODE[0] || (major === LEAST_NODE[0] && minor >= LEAST_NODE[1])) return [good(`Node ${node}`)];
    return [wrong(`Node ${node} is too old`, `Install Node ${LEAST_NODE.join('.')} or newer.`)];
  },
};

export const clockIsRight: Check = {
  id: 'clock',
  asks: 'Does the clock show the right time, everywhere the same?',
  look: ({ now, machine, docker, orchestrator, proxy }) => {
    if (now < machine.builtAt - CLOCKS_DIFFER_MS)
      return [
        wrong(
          `the clock shows ${new Date(now).toISOString()}, which was before this build was made`,
          'Set the clock (`timedatectl set-ntp true`): certificates and pulls of images fail with a wrong one.',
        ),
      ];
    const offsets: [string, number | null][] = [
      ['Docker', docker?.reached && docker.host?.clock != null ? docker.host.clock - now : null],
      ['the orchestrator', orchestrator.reached ? orchestrator.clockOffsetMs : null],
      ['the proxy', proxy.reached ? proxy.clockOffsetMs : null],
    ];
    const problems = offsets.flatMap(([who, offset]) => {
      if (offset === null || Math.abs(offset) <= CLOCKS_AGREE_MS) return [];
      const says = `the clock of ${who} is ${seconds(Math.abs(offset))} ${offset > 0 ? 'ahead' : 'behind'}`;
      const cure = 'Run a time service on both machines (`timedatectl set-ntp true`).';
      return [Math.abs(offset) > CLOCKS_DIFFER_MS ? wrong(says, cure) : warning(says, cure)];
    });
    return orGood(problems, 'all clocks that could be compared agree');
  },
};

export const processorsKeepUp: Check = {
  id: 'cpu',
  asks: 'Is the processor exhausted?',
  look: ({ machine: { load, processors }, orchestrator, proxy }) => {
    const problems: Verdict[] = [];
    const each = load / processors;
    if (each > 2)
      problems.push(
        warning(
          `load ${load.toFixed(1)} on ${processors} processors: work waits for its turn`,
          '`top` shows who takes it. Fewer engines (MAX_REPLICAS), or more processors for the services and `docker` in the compose file.',
        ),
      );
    for (const [name, service] of [
      ['orchestrator', orchestrator],
      ['proxy', proxy],
    ] as const) {
      const lag = service.reached ? service.scrape?.sum('nodejs_eventloop_lag_p99_seconds') : null;
      if (lag != null && lag > 0.25)
        problems.push(
          warning(
            `the ${name} answers late: its event loop waits ${seconds(lag * 1000)} (p99)`,
            `Give the ${name} more processor time (limits of the compose file), or this machine less other work.`,
          ),
        );
    }
    return orGood(problems, `load ${load.toFixed(1)} on ${processors} processors`);
  },
};

export const memorySuffices: Check = {
  id: 'memory',
  asks: 'Is the memory exhausted?',
  look: ({ machine: { memory }, settings, docker, enginesMemoryBytes }) => {
    const problems: Verdict[] = [];
    const left = `${bytes(memory.available)} of ${bytes(memory.total)} of memory are left`;
    if (memory.available < NO_MEMORY) problems.push(wrong(left, 'End something, or add memory: processes will be killed.'));
    else if (memory.available < LITTLE_MEMORY) problems.push(warning(left, '`docker stats --no-stream` and `top` show who has it.'));
    if (settings !== null && docker !== null) {
      const wanted = settings.engineLimit * ENGINE_BYTES;
      const whole = docker.reached && docker.host ? docker.host.memory : null;
      const want = `${settings.engineLimit} engines (MAX_REPLICAS) want about ${bytes(wanted)} of memory`;
      if (enginesMemoryBytes !== null && enginesMemoryBytes < wanted * 0.9)
        problems.push(
          warning(
            `${want}, and ENGINES_MEMORY lets them have ${bytes(enginesMemoryBytes)}`,
            'Raise ENGINES_MEMORY, or lower MAX_REPLICAS.',
          ),
        );
      if (whole !== null && whole < wanted)
        problems.push(
          warning(`${want}; Docker's machine has ${bytes(whole)}`, 'Lower MAX_REPLICAS, or set ENGINE_MEMORY_LIMIT, or add memory.'),
        );
    }
    return orGood(problems, left);
  },
};

export const disksHaveRoom: Check = {
  id: 'disk',
  asks: 'Is there disk space?',
  look: ({ machine: { disks } }) =>
    orGood(disks.flatMap(judgeDisk), disks.map(({ what, free }) => `${what}: ${bytes(free)} free`).join(', ')),
};

function judgeDisk({ what, path, free, total, writable }: DiskFacts): Verdict[] {
  const left = `${what} (${path}) has ${bytes(free)} of ${bytes(total)} left`;
  if (!writable)
    return [wrong(`${what} (${path}) cannot be written to`, `Let this user write there (\`ls -ld ${path}\`), or mount it writable.`)];
  if (free < NO_DISK)
    return [
      wrong(left, 'Make room: `docker system df` shows what images and containers take, `docker image prune -f` removes old images.'),
    ];
  if (free < LITTLE_DISK) return [warning(left, 'Make room before it is full: `docker system df`, `docker image prune -f`.')];
  return [];
}

export const filesSuffice: Check = {
  id: 'files',
  asks: 'Are there enough file descriptors and connections?',
  look: ({ machine, proxySettings, orchestrator, proxy }) => {
    const problems: Verdict[] = [];
    for (const [name, service] of [
      ['orchestrator', orchestrator],
      ['proxy', proxy],
    ] as const) {
      const scrape = service.reached ? service.scrape : null;
      const open = scrape?.sum('process_open_fds') ?? null;
      const most = scrape?.sum('process_max_fds') ?? null;
      if (open !== null && most !== null && most > 0 && open > most * NEARLY_ALL)
        problems.push(
          wrong(
            `the ${name} has ${open} of ${most} files open (${percent(open, most)})`,
            'Raise its limit: `ulimits: { nofile: 65536 }` in the compose file, LimitNOFILE= in a unit.',
          ),
        );
    }
    const limit = (proxy.reached && proxy.scrape?.sum('process_max_fds')) || machine.openFiles;
    if (limit !== null && limit < FEW_FILES)
      problems.push(
        warning(
          `a process may open ${limit} files (ulimit -n); every viewer takes one`,
          'Raise it to 65536 (`ulimit -n 65536`, LimitNOFILE=).',
        ),
      );
    else if (limit !== null && proxySettings !== null && limit < proxySettings.maxConnections)
      problems.push(
        warning(
          `ACEXY_MAX_CONNECTIONS=${proxySettings.maxConnections}, and a process may open ${limit} files`,
          'Raise the limit of open files above it, or lower ACEXY_MAX_CONNECTIONS.',
        ),
      );
    const viewers = proxy.reached ? (proxy.scrape?.sum('acexy_viewers') ?? null) : null;
    if (viewers !== null && proxySettings !== null && viewers > proxySettings.maxConnections * NEARLY_ALL)
      problems.push(
        wrong(
          `${viewers} viewers of at most ${proxySettings.maxConnections} (ACEXY_MAX_CONNECTIONS)`,
          'Raise ACEXY_MAX_CONNECTIONS and the limit of open files, or run a second proxy (deploy/two-proxies).',
        ),
      );
    const all = machine.openFilesOfAll;
    if (all !== null && all.used > all.most * NEARLY_ALL)
      problems.push(
        wrong(`this machine has ${all.used} of ${all.most} files open`, 'Raise it: `sysctl fs.file-max`; `lsof | wc -l` counts them.'),
      );
    return orGood(problems, limit === null ? 'nothing is near its limit' : `${limit} files for a process`);
  },
};

export const portsAreOurs: Check = {
  id: 'ports',
  asks: 'Are the ports free, or ours?',
  look: ({ machine: { ports }, orchestrator, proxy, settings }) => {
    if (ports.length === 0)
      return [
        unknown(settings === null ? 'the settings are wrong' : 'services on other machines or in other containers have theirs there'),
      ];
    const problems = ports.flatMap(({ setting, port, taken }) => {
      const ours = setting === 'APP_PORT' ? orchestrator.reached : proxy.reached;
      if (!taken || ours) return [];
      return [
        wrong(
          `port ${port} (${setting}) is taken by another program, or by one that does not answer`,
          `\`ss -ltnp 'sport = :${port}'\` names it. End it, or choose another ${setting}.`,
        ),
      ];
    });
    return orGood(problems, ports.map(({ setting, port, taken }) => `${port} (${setting}) ${taken ? 'answers' : 'is free'}`).join(', '));
  },
};
