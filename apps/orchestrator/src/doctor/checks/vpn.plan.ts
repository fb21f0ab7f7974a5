/** Gluetun, if engines are behind a VPN. */
import { roleFileProblem } from '../../vpn/gluetun-roles.policy.js';
import { type Check, good, unknown, warning, wrong } from '../check.js';

/** Before the other check, because Gluetun does not start with a wrong file. */
const ROLES_CHECK: Check = {
  id: 'vpn-roles',
  question: 'Can Gluetun start with its role file?',
  *look({ settings, vpns, gluetunRoles }) {
    if (settings === null) return unknown('the settings are invalid');
    if (settings.vpnContainers.length === 0) return good('no VPN is set (GLUETUN_CONTAINER_NAME)');
    if (gluetunRoles === null) return unknown('the role file cannot be read from here');
    for (const { name, container } of vpns) {
      const problem = container && roleFileProblem(gluetunRoles, container.version);
      if (problem)
        yield wrong(
          `the role file of ${name} names ${problem.route}, which Gluetun ${container.version} does not know: it does not start`,
          `Copy the key into docker/gluetun/${problem.rightFile}, set GLUETUN_AUTH_CONFIG=${problem.rightFile} in .env, and run \`docker compose up -d gluetun\` (docs/vpn.md).`,
        );
    }
    return good('its version knows all routes in the file');
  },
};

const CONNECTION_CHECK: Check = {
  id: 'vpn',
  question: 'Is the VPN connected?',
  *look({ settings, vpns, orchestrator, docker }) {
    if (settings === null) return unknown('the settings are invalid');
    if (settings.vpnContainers.length === 0) return good('no VPN is set (GLUETUN_CONTAINER_NAME)');
    const seen = orchestrator.reached ? (orchestrator.vpn?.vpns ?? []) : [];
    for (const { name, container, control } of vpns) {
      const own = seen.find(({ container_name: other }) => other === name);
      const logs = `\`docker logs ${name} --tail 50\` shows why`;
      const restart = `\`docker compose restart gluetun\`; ${logs}.`;
      if (container === null && docker?.reached)
        yield wrong(`the container ${name} does not exist`, 'Start it, or correct GLUETUN_CONTAINER_NAME (docs/vpn.md).');
      else if (container !== null && container.status !== 'running') yield wrong(`the container ${name} is ${container.status}`, restart);
      else if (own && !own.connected) yield wrong(`the VPN ${name} is not connected: ${own.reason ?? own.health}`, restart);
      else {
        if (control?.ok === false && control.code === 'unauthorized')
          yield wrong(
            control.problem,
            'Put the same key into docker/gluetun/auth-config.toml (or the file that GLUETUN_AUTH_CONFIG names) and GLUETUN_API_KEY.',
          );
        if (container?.health === 'unhealthy')
          yield warning(
            `the health check of ${name} fails`,
            `Allow more time (retries: 5, timeout: 10s in its healthcheck), or use another VPN server; ${logs}.`,
          );
        if (own?.forwarded_port === null)
          yield warning(
            `${name} forwards no port: peers cannot connect to the engines`,
            'Set VPN_PORT_FORWARDING=on if the provider supports it (docs/vpn.md); otherwise slower starts are normal.',
          );
        if (!own && control?.ok && control.status !== 'running')
          yield wrong(`Gluetun ${name} reports its VPN as ${control.status}`, restart);
      }
    }
    const statuses = seen.map(({ container_name: name, reason }) => `${name}: ${reason ?? 'connected'}`).join(', ');
    if (statuses === '' && vpns.every(({ container, control }) => container === null && control === null))
      return unknown('neither Docker, Gluetun nor the orchestrator is reachable from here');
    return good(statuses || 'the container runs');
  },
};

export const VPN_CHECKS: readonly Check[] = [ROLES_CHECK, CONNECTION_CHECK];
