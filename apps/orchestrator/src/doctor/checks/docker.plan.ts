/** The Docker Engine, if engines are containers. */
import type { Check } from '../check.js';
import type { DockerFacts, Facts } from '../facts.js';
import { seconds } from '../units.js';
import { good, unknown, type Verdict, warning, wrong } from '../verdict.js';

/** A healthy Docker Engine answers within milliseconds. */
const SLOW_MS = 1_000;
/** Mean start time above which the Docker Engine counts as overloaded. */
const SLOW_START_S = 10;

type Reached = Extract<DockerFacts, { reached: true }>;

function withDocker(facts: Facts, look: (docker: Reached) => Verdict[]): Verdict[] {
  if (facts.docker === null)
    return [unknown(facts.settings === null ? 'the settings are invalid' : 'engines are processes, not containers')];
  return facts.docker.reached ? look(facts.docker) : [unknown('Docker does not answer')];
}

export const dockerAnswers: Check = {
  id: 'docker',
  question: 'Does Docker answer?',
  look: ({ docker, settings }) => {
    if (docker === null) return [unknown(settings === null ? 'the settings are invalid' : 'engines are processes, not containers')];
    if (docker.reached) return [good(`Docker ${docker.version} at ${docker.endpoint}`)];
    return [wrong(docker.problem, cureFor(docker.problem))];
  },
};

function cureFor(problem: string): string {
  if (/permission/.test(problem))
    return 'Add this user to the group that owns the socket, or start the container as in docker-compose.socket.yml.';
  if (/no address/.test(problem)) return 'Correct DOCKER_HOST: its host name cannot be resolved.';
  if (/in time/.test(problem))
    return 'The Docker Engine is overloaded: `docker compose restart docker` or `systemctl restart docker`; give it more memory and processors.';
  return 'Start it (`docker compose up -d docker` or `systemctl start docker`), or set DOCKER_HOST to its address.';
}

export const dockerKeepsUp: Check = {
  id: 'docker-load',
  question: 'Is the Docker Engine overloaded?',
  look: (facts) =>
    withDocker(facts, ({ latencyMs }) => {
      const cure =
        'Start fewer engines at a time (MAX_CONCURRENT_PROVISIONS, MIN_PROVISION_INTERVAL_S), give Docker more memory and processors, or restart it.';
      const scrape = facts.orchestrator.reached ? facts.orchestrator.scrape : null;
      const start = scrape?.mean('orch_runtime_call_seconds', { call: 'start' }) ?? null;
      if (latencyMs > SLOW_MS) return [warning(`a call to Docker took ${seconds(latencyMs)}; normal are milliseconds`, cure)];
      if (start !== null && start > SLOW_START_S)
        return [warning(`Docker takes ${seconds(start * 1000)} to start a container, on average`, cure)];
      return [good(`it answers within ${seconds(latencyMs)}`)];
    }),
};

export const imageExists: Check = {
  id: 'image',
  question: 'Is the engine image there?',
  look: (facts) =>
    withDocker(facts, ({ image }) => {
      const { targetImage, imagePull } = facts.settings ?? { targetImage: 'TARGET_IMAGE', imagePull: 'missing' };
      const pull = facts.orchestrator.reached ? facts.orchestrator.image : null;
      if (image === 'present') return [good(targetImage)];
      if (image === 'unknown') return [unknown('Docker did not answer this question')];
      if (pull?.state === 'pulling')
        return [warning(`${targetImage} is being pulled (${pull.percent ?? 0} %)`, 'Wait: engines start as soon as the image is there.')];
      const cure =
        imagePull === 'never'
          ? `Load it (\`docker load < image.tar\`; with the engines' own Docker \`docker compose exec -T docker docker load\`), or correct TARGET_IMAGE, or set IMAGE_PULL=missing.`
          : `\`docker pull ${targetImage}\` shows why it cannot be pulled. Correct TARGET_IMAGE, or the network of the Docker Engine.`;
      return [wrong(`${targetImage} is not on this Docker Engine${pull?.reason ? `: ${pull.reason}` : ''}`, cure)];
    }),
};

export const networkExists: Check = {
  id: 'network',
  question: 'Is the network of engines and services there?',
  look: (facts) =>
    withDocker(facts, ({ network }) => {
      const name = facts.settings?.dockerNetwork;
      if (network === null) return [good('DOCKER_NETWORK is not set: engines publish their ports')];
      if (network === 'present') return [good(`${name}`)];
      if (network === 'unknown') return [unknown('Docker, or a filter in front of it, did not answer this question')];
      return [
        wrong(
          `the network ${name} (DOCKER_NETWORK) does not exist`,
          `Run \`docker network create ${name}\`, or \`docker compose up -d\`, which creates it.`,
        ),
      ];
    }),
};

export const containersAreHealthy: Check = {
  id: 'containers',
  question: 'Are there stuck containers?',
  look: (facts) =>
    withDocker(facts, ({ containers }) => {
      const bad = ['exited', 'dead', 'restarting'].filter((state) => (containers[state] ?? 0) > 0);
      const count = Object.values(containers).reduce((sum, each) => sum + each, 0);
      if (bad.length === 0) return [good(`${count} engine containers, none stuck`)];
      return [
        warning(
          `engine containers are ${bad.map((state) => `${state} (${containers[state]})`).join(', ')}`,
          '`docker ps -a --filter label=acestream-orchestrator` lists them, `docker logs` shows why. POST /gc removes dead ones.',
        ),
      ];
    }),
};
