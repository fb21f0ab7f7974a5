/** The Docker Engine, if engines are containers. */
import { type Check, type Findings, good, unknown, warning, wrong } from '../check.js';
import type { DockerFacts, Facts, Reached } from '../facts.js';
import { seconds } from '../units.js';

/** A healthy Docker Engine answers within milliseconds. */
const SLOW_MS = 1_000;
/** Mean start time above which the Docker Engine counts as overloaded. */
const SLOW_START_S = 10;
const NO_ANSWER = unknown('Docker, or a filter in front of it, did not answer this call');

/** For checks that need a Docker Engine that answers. */
function withDocker(look: (docker: Reached<DockerFacts>, facts: Facts) => Findings): Check['look'] {
  return (facts) => {
    if (facts.docker === null)
      return unknown(facts.settings === null ? 'the settings are invalid' : 'engines are processes, not containers');
    return facts.docker.reached ? look(facts.docker, facts) : unknown('Docker does not answer');
  };
}

export const DOCKER_CHECKS: readonly Check[] = [
  {
    id: 'docker',
    question: 'Does Docker answer?',
    look(facts) {
      if (facts.docker?.reached === false) return wrong(facts.docker.problem, cureFor(facts.docker));
      return withDocker(({ version, endpoint }) => good(`Docker ${version} at ${endpoint}`))(facts);
    },
  },

  {
    id: 'docker-load',
    question: 'Is the Docker Engine overloaded?',
    look: withDocker(({ latencyMs }, { orchestrator }) => {
      const cure =
        'Start fewer engines at a time (MAX_CONCURRENT_PROVISIONS, MIN_PROVISION_INTERVAL_S), give Docker more memory and processors, or restart it.';
      if (latencyMs > SLOW_MS)
        return warning(`a call to Docker took ${seconds(latencyMs)}; a healthy Docker answers within milliseconds`, cure);
      const start = orchestrator.reached ? (orchestrator.scrape?.mean('orch_runtime_call_seconds', { call: 'start' }) ?? 0) : 0;
      if (start > SLOW_START_S) return warning(`Docker takes ${seconds(start * 1000)} to start a container, on average`, cure);
      return good(`Docker answers within ${seconds(latencyMs)}`);
    }),
  },

  {
    id: 'docker-events',
    question: 'Does Docker report changes of engines?',
    look: withDocker((_docker, { orchestrator }) => {
      if (!orchestrator.reached) return unknown('the orchestrator does not answer');
      if (orchestrator.runtimeNote === null) return good('the orchestrator gets the events of Docker, or nothing has changed yet');
      return warning(
        orchestrator.runtimeNote,
        'Let `GET /events` pass through every filter in front of Docker, and restart the orchestrator. `docker events` shows whether Docker sends events.',
      );
    }),
  },

  {
    id: 'network',
    question: 'Does the network of engines and services exist?',
    look: withDocker(({ network }, { settings }) => {
      const name = settings?.dockerNetwork;
      if (network === null) return good('DOCKER_NETWORK is not set: engines publish their ports');
      if (network === 'present') return good(`the network ${name} exists`);
      if (network === 'unknown') return NO_ANSWER;
      return wrong(
        `the network ${name} (DOCKER_NETWORK) does not exist`,
        `Run \`docker network create ${name}\`, or \`docker compose up -d\`, which creates it.`,
      );
    }),
  },

  {
    id: 'image',
    question: 'Does the engine image exist?',
    look: withDocker(({ image }, { settings, orchestrator }) => {
      const { targetImage, imagePull } = settings ?? { targetImage: 'TARGET_IMAGE', imagePull: 'missing' };
      const pull = orchestrator.reached ? orchestrator.image : null;
      const state = image === 'unknown' && pull ? pull.state : image;
      if (state === 'present' && pull?.reason) return warning(`${targetImage} exists, but ${pull.reason}`, pullCure(targetImage));
      if (state === 'present') return good(`${targetImage} exists`);
      if (state === 'unknown') return NO_ANSWER;
      if (pull?.state === 'pulling')
        return warning(`${targetImage} is being pulled (${pull.percent ?? 0} %)`, 'Wait: engines start when the pull is complete.');
      return wrong(
        `${targetImage} is not on this Docker Engine${pull?.reason ? `: ${pull.reason}` : ''}`,
        imagePull === 'never'
          ? 'Load it with `docker load < image.tar` (if Docker runs in the compose file, with `docker compose exec -T docker docker load < image.tar`), or correct TARGET_IMAGE, or set IMAGE_PULL=missing.'
          : pullCure(targetImage),
      );
    }),
  },

  {
    id: 'containers',
    question: 'Are there stuck containers?',
    look: withDocker(({ containers }) => {
      const stuck = ['exited', 'dead', 'restarting'].filter((state) => (containers[state] ?? 0) > 0);
      const count = Object.values(containers).reduce((sum, each) => sum + each, 0);
      if (stuck.length === 0) return good(`${count} engine containers, none stuck`);
      return warning(
        `stuck engine containers: ${stuck.map((state) => `${state} (${containers[state]})`).join(', ')}`,
        '`docker ps -a --filter label=acestream-orchestrator` lists them, `docker logs` shows why. POST /gc removes dead ones.',
      );
    }),
  },
];

function pullCure(image: string): string {
  return `\`docker pull ${image}\` shows why it cannot be pulled. Correct TARGET_IMAGE, or the network of the Docker Engine.`;
}

/** The service `docker` of docker-compose.yml has its socket in this folder. */
const SOCKET_OF_COMPOSE = 'unix:///run/engines/';

function cureFor({ problem, endpoint }: Extract<DockerFacts, { reached: false }>): string {
  if (/permission/.test(problem))
    return 'Add this user to the group that owns the socket, or start the container as docs/security.md describes.';
  const service = serviceOf(endpoint);
  if (/no address/.test(problem))
    return `Start the service (\`docker compose up -d ${service}\`), or correct DOCKER_HOST: its host name cannot be resolved.`;
  if (/in time/.test(problem))
    return `The Docker Engine is overloaded: \`${restartOf(endpoint)}\` restarts it. Give it more memory and processors.`;
  const start = service === null ? '`systemctl start docker`' : `\`docker compose up -d ${service}\``;
  // The filter answers, and says that Docker does not.
  if (/no Docker Engine answers at unix:/.test(problem) && endpoint.startsWith('tcp:'))
    return 'Start Docker on the host: `systemctl start docker`.';
  return `Start it (${start}), or set DOCKER_HOST to its address.`;
}

function restartOf(endpoint: string): string {
  return endpoint.startsWith(SOCKET_OF_COMPOSE) ? 'docker compose restart docker' : 'systemctl restart docker';
}

/** The service of the compose file that DOCKER_HOST names: the Docker Engine, or the filter in front of it; null for the Docker of the machine. */
function serviceOf(endpoint: string): string | null {
  if (endpoint.startsWith(SOCKET_OF_COMPOSE)) return 'docker';
  return URL.canParse(endpoint) && endpoint.startsWith('tcp:') ? new URL(endpoint).hostname : null;
}
