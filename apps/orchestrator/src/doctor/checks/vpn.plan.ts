/** Gluetun, if engines are behind a VPN. */
import type { Check } from '../check.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';

export const vpnIsUp: Check = {
  id: 'vpn',
  question: 'Is the VPN connected?',
  look: ({ settings, vpns, orchestrator, docker }) => {
    if (settings === null) return [unknown('the settings are invalid')];
    if (settings.vpnContainers.length === 0) return [good('no VPN is set (GLUETUN_CONTAINER_NAME)')];
    const seen = orchestrator.reached ? (orchestrator.vpn?.vpns ?? []) : [];
    const problems = vpns.flatMap(({ name, container, control }): Verdict[] => {
      const own = seen.find(({ container_name: other }) => other === name);
      const logs = `\`docker logs ${name} --tail 50\` shows why`;
      if (container === null && docker?.reached)
        return [wrong(`the container ${name} does not exist`, 'Start it, or correct GLUETUN_CONTAINER_NAME (docs/vpn.md).')];
      if (container !== null && container.status !== 'running')
        return [wrong(`the container ${name} is ${container.status}`, `\`docker compose restart gluetun\`; ${logs}.`)];
      if (own && !own.connected)
        return [wrong(`the VPN ${name} is not connected: ${own.reason ?? own.health}`, `\`docker compose restart gluetun\`; ${logs}.`)];
      const found: Verdict[] = [];
      if (control && !control.ok && control.code === 'unauthorized')
        found.push(wrong(control.problem, 'Put the same key into docker/gluetun/auth-config.toml and GLUETUN_API_KEY.'));
      if (container?.health === 'unhealthy')
        found.push(
          warning(
            `the health check of ${name} fails`,
            `Allow more time (retries: 5, timeout: 10s in its healthcheck), or use another VPN server; ${logs}.`,
          ),
        );
      if (own?.connected && own.forwarded_port === null)
        found.push(
          warning(
            `${name} forwards no port: peers cannot connect to the engines`,
            'Set VPN_PORT_FORWARDING=on if the provider supports it (docs/vpn.md); otherwise slower starts are normal.',
          ),
        );
      if (!own && control?.ok && control.status !== 'running')
        found.push(wrong(`Gluetun ${name} reports its VPN as ${control.status}`, `\`docker compose restart gluetun\`; ${logs}.`));
      return found;
    });
    const statuses = seen.map(({ container_name: name, reason }) => `${name}: ${reason ?? 'connected'}`).join(', ');
    if (problems.length === 0 && statuses === '' && vpns.every(({ container, control }) => container === null && control === null))
      return [unknown('neither Docker, Gluetun nor the orchestrator is reachable from here')];
    return orGood(problems, statuses || 'the container runs');
  },
};
