/** Starts an image as the compose files do, and checks that it works without root, without capabilities and on a read-only file system. */
import { execFileSync } from 'node:child_process';

const HEALTHY_WITHIN_MS = 60_000;
const CALL_LIMIT_MS = 60_000;

const docker = (...args) =>
  execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: CALL_LIMIT_MS }).trim();
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Why images cannot be tested here; null if they can. */
export function dockerMissing() {
  try {
    docker('version', '--format', '{{.Server.Version}}');
    return null;
  } catch {
    return 'no Docker Engine answers';
  }
}

/**
 * @param {string} image
 * @param {{title: string, version: string, env: string[]}} expected
 * @returns {Promise<string[]>} one sentence for each problem
 */
export async function imageProblems(image, { title, version, env }) {
  let inspected;
  try {
    [inspected] = JSON.parse(docker('image', 'inspect', image));
  } catch {
    return [`image ${image} is missing: build it with docker compose build`];
  }
  const { Labels: labels = {}, User: user = '' } = inspected.Config;
  const label = (name) => labels?.[`org.opencontainers.image.${name}`];
  const problems = [];
  for (const [name, wanted] of Object.entries({ title, version, licenses: 'MIT' }))
    if (label(name) !== wanted) problems.push(`${image}: its label ${name} is ${label(name)}, not ${wanted}`);
  for (const name of ['description', 'revision']) if (!label(name)) problems.push(`${image} has no label ${name}`);
  if (!user || /^(0|root)(:|$)/.test(user)) problems.push(`${image} starts as root`);
  return [...problems, ...(await worksRestricted(image, env))];
}

async function worksRestricted(image, env) {
  const name = `release-check-${process.pid}`;
  const restricted = ['--read-only', '--tmpfs', '/tmp', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges:true'];
  try {
    docker('run', '-d', '--name', name, ...restricted, ...['--tmpfs', '/config'], ...env.flatMap((pair) => ['-e', pair]), image);
    const end = performance.now() + HEALTHY_WITHIN_MS;
    for (;;) {
      const { Status: status, Health: health } = JSON.parse(docker('inspect', '-f', '{{json .State}}', name));
      if (status !== 'running') return [`${image} exited:\n${logs(name)}`];
      if (health?.Status === 'healthy') break;
      if (performance.now() > end) return [`${image} is not healthy within ${HEALTHY_WITHIN_MS / 1000} s:\n${logs(name)}`];
      await pause(500);
    }
    return restrictionProblems(image, name);
  } finally {
    docker('rm', '-f', '-v', name);
  }
}

/** Reads user and capabilities of process 1, and whether its file system is writable. */
function restrictionProblems(image, name) {
  const script = `
    const fs = require('node:fs');
    const status = fs.readFileSync('/proc/1/status', 'utf8');
    let writes = true;
    try { fs.writeFileSync('/app/x', ''); } catch { writes = false; }
    console.log(JSON.stringify({ uid: /^Uid:\\s+(\\d+)/m.exec(status)[1], caps: /^CapEff:\\s+(\\w+)/m.exec(status)[1], writes }));`;
  const { uid, caps, writes } = JSON.parse(docker('exec', name, 'node', '-e', script));
  return [
    ...(uid === '0' ? [`${image} runs as root`] : []),
    ...(/^0+$/.test(caps) ? [] : [`${image} has capabilities (${caps})`]),
    ...(writes ? [`${image} can write to its own program`] : []),
  ];
}

function logs(name) {
  return execFileSync('sh', ['-c', `docker logs --tail 20 ${name} 2>&1`], { encoding: 'utf8', timeout: CALL_LIMIT_MS });
}
