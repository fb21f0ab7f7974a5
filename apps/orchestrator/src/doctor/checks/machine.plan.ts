/** Resources of the machine. */
import { type Check, good, unknown, warning, wrong } from '../check.js';
import { bytes, seconds } from '../units.js';

const MIN_NODE = [20, 19];
/** `Date` headers have whole seconds, and the reply takes time. */
const CLOCK_TOLERANCE_MS = 3_000;
const CLOCK_WRONG_MS = 30_000;
const LOW_DISK_BYTES = 1e9;
const FULL_DISK_BYTES = 200e6;
const LOW_MEMORY_BYTES = 500e6;
const FULL_MEMORY_BYTES = 150e6;
/** Memory of one engine, as assumed by the profiles in deploy/profiles. */
const ENGINE_BYTES = 300e6;
const FEW_OPEN_FILES = 4_096;
/** Share of a limit above which it counts as reached. */
const NEAR_LIMIT = 0.8;

export const MACHINE_CHECKS: readonly Check[] = [
  {
    id: 'node',
    question: 'Is Node new enough?',
    look({ machine: { node } }) {
      const [major, minor] = node.replace(/^v/, '').split('.').map(Number);
      if (major > MIN_NODE[0] || (major === MIN_NODE[0] && minor >= MIN_NODE[1])) return good(`Node ${node}`);
      return wrong(`Node ${node} is too old`, `Install Node ${MIN_NODE.join('.')} or newer.`);
    },
  },

  {
    id: 'clock',
    question: 'Are the clocks of all machines correct?',
    *look({ now, machine, docker, orchestrator, proxy }) {
      if (now < machine.builtAt - CLOCK_WRONG_MS)
        return wrong(
          `the clock shows ${new Date(now).toISOString()}, which is before this build was made`,
          'Set the clock (`timedatectl set-ntp true`). With a wrong clock, certificates and image pulls fail.',
        );
      const offsets: Record<string, number | null> = {
        Docker: docker?.reached && docker.host?.clock != null ? docker.host.clock - now : null,
        'the orchestrator': orchestrator.reached ? orchestrator.clockOffsetMs : null,
        'the proxy': proxy.reached ? proxy.clockOffsetMs : null,
      };
      for (const [who, offset] of Object.entries(offsets))
        if (offset !== null && Math.abs(offset) > CLOCK_TOLERANCE_MS)
          yield (Math.abs(offset) > CLOCK_WRONG_MS ? wrong : warning)(
            `the clock of ${who} is ${seconds(Math.abs(offset))} ${offset > 0 ? 'ahead' : 'behind'}`,
            'Synchronize the clocks of both machines (`timedatectl set-ntp true`).',
          );
      return good('all compared clocks agree');
    },
  },

  {
    id: 'disk',
    question: 'Is there disk space?',
    *look({ machine: { disks } }) {
      for (const { what, path, free, total, writable } of disks) {
        const left = `${what} (${path}) has ${bytes(free)} of ${bytes(total)} left`;
        if (!writable)
          yield wrong(`${what} (${path}) cannot be written`, `Allow this user to write there (\`ls -ld ${path}\`), or mount it writable.`);
        else if (free < FULL_DISK_BYTES)
          yield wrong(
            left,
            'Free disk space: `docker system df` shows the use of images and containers, `docker image prune -f` removes old images.',
          );
        else if (free < LOW_DISK_BYTES)
          yield warning(left, 'Free disk space before it is full: `docker system df`, `docker image prune -f`.');
      }
      return good(disks.map(({ what, free }) => `${what}: ${bytes(free)} free`).join(', '));
    },
  },

  {
    id: 'memory',
    question: 'Is there enough memory?',
    *look({ machine: { memory }, settings, docker, enginesMemoryBytes, proxy }) {
      const left = `${bytes(memory.available)} of ${bytes(memory.total)} memory available`;
      if (memory.available < FULL_MEMORY_BYTES) yield wrong(left, 'Stop programs or add memory, otherwise the system kills processes.');
      else if (memory.available < LOW_MEMORY_BYTES) yield warning(left, '`docker stats --no-stream` and `top` show which program uses it.');
      if (settings !== null && docker !== null) {
        const needed = settings.engineLimit * ENGINE_BYTES;
        const need = `${settings.engineLimit} engines, the maximum, need about ${bytes(needed)} memory`;
        if (enginesMemoryBytes !== null && enginesMemoryBytes < needed * 0.9)
          yield warning(`${need}, but ENGINES_MEMORY allows ${bytes(enginesMemoryBytes)}`, 'Raise ENGINES_MEMORY, or lower MAX_REPLICAS.');
        const host = docker.reached ? docker.host : null;
        if (host !== null && host.memory < needed)
          yield warning(
            `${need}, but the machine of Docker has ${bytes(host.memory)}`,
            'Lower MAX_REPLICAS, or set ENGINE_MEMORY_LIMIT, or add memory.',
          );
      }
      const scrape = proxy.reached ? proxy.scrape : null;
      const [limit, needed] = ['acexy_memory_limit_bytes', 'acexy_memory_needed_bytes'].map((name) => scrape?.sum(name) ?? null);
      if (limit !== null && needed !== null && limit < needed)
        yield warning(
          `the proxy may use ${bytes(limit)} of memory, but needs ${bytes(needed)} when its stream buffers are full`,
          'Lower ACEXY_BUFFER_TOTAL_MAX, or raise the memory limit of the proxy (ACEXY_MEMORY in the compose files).',
        );
      return good(left);
    },
  },

  {
    id: 'cpu',
    question: 'Is the processor overloaded?',
    look({ machine: { load, processors } }) {
      const state = `load ${load.toFixed(1)} on ${processors} processors`;
      if (load <= 2 * processors) return good(state);
      return warning(
        `${state}: processes wait for a processor`,
        '`top` shows which program uses them. Run fewer engines (MAX_REPLICAS), or give the services and `docker` more processors in the compose file.',
      );
    },
  },

  {
    id: 'files',
    question: 'Are there enough file descriptors and connections?',
    *look({ machine, proxySettings, proxy }) {
      const scrape = proxy.reached ? proxy.scrape : null;
      const limit = scrape?.sum('process_max_fds') || machine.openFiles;
      const maxConnections = proxySettings?.maxConnections ?? null;
      if (limit !== null && limit < FEW_OPEN_FILES)
        yield warning(
          `a process may open ${limit} files (ulimit -n), and every viewer needs one`,
          'Raise it to 65536 (`ulimit -n 65536`; in a systemd unit `LimitNOFILE=65536`).',
        );
      else if (limit !== null && maxConnections !== null && limit < maxConnections)
        yield warning(
          `ACEXY_MAX_CONNECTIONS=${maxConnections}, but a process may open only ${limit} files`,
          'Raise the limit of open files above it, or lower ACEXY_MAX_CONNECTIONS.',
        );
      const viewers = scrape?.sum('acexy_viewers') ?? 0;
      if (maxConnections !== null && viewers > maxConnections * NEAR_LIMIT)
        yield wrong(
          `${viewers} viewers of at most ${maxConnections} (ACEXY_MAX_CONNECTIONS)`,
          'Raise ACEXY_MAX_CONNECTIONS and the limit of open files, or run more proxies (docker-compose.two-proxies.yml).',
        );
      const all = machine.openFilesOfAll;
      if (all !== null && all.used > all.max * NEAR_LIMIT)
        yield wrong(
          `this machine has ${all.used} of ${all.max} files open`,
          'Raise the limit: `sysctl -w fs.file-max=NUMBER`; `lsof | wc -l` counts open files.',
        );
      return good(limit === null ? 'nothing is near its limit' : `a process may open ${limit} files`);
    },
  },

  {
    id: 'ports',
    question: 'Are the ports available?',
    *look({ machine: { ports }, orchestrator, proxy, settings }) {
      if (ports.length === 0)
        return unknown(settings === null ? 'the settings are invalid' : 'the services run on other machines or in other containers');
      for (const { setting, port, taken } of ports) {
        const ours = setting === 'APP_PORT' ? orchestrator.reached : proxy.reached;
        if (taken && !ours)
          yield wrong(
            `port ${port} (${setting}) is in use by another program, or by a service that does not answer`,
            `\`ss -ltnp 'sport = :${port}'\` names the program. Stop it, or choose another ${setting}.`,
          );
      }
      return good(ports.map(({ setting, port, taken }) => `${port} (${setting}) ${taken ? 'answers' : 'is free'}`).join(', '));
    },
  },

  {
    id: 'engine-ports',
    question: 'Are there ports for all engines?',
    look({ settings, machine, orchestrator }) {
      if (settings === null) return unknown('the settings are invalid');
      const { first, last } = settings.portRangeHost;
      const ports = last - first + 1;
      const engines = orchestrator.reached ? (orchestrator.scrape?.sum('orch_engines_lifecycle') ?? 0) : 0;
      const takenByOthers = Math.max(0, (machine.enginePortsTaken?.length ?? 0) - engines);
      if (ports < settings.engineLimit)
        return wrong(
          `PORT_RANGE_HOST=${first}-${last} has ${ports} ports for up to ${settings.engineLimit} engines`,
          'Extend PORT_RANGE_HOST, or lower MAX_REPLICAS.',
        );
      if (takenByOthers >= ports)
        return wrong(
          `other programs use all ${ports} ports of PORT_RANGE_HOST=${first}-${last}`,
          'Choose a PORT_RANGE_HOST that no other program uses.',
        );
      return good(`${ports} ports for up to ${settings.engineLimit} engines`);
    },
  },
];
