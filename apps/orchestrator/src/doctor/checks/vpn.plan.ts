/** Gluetun and the engines behind it. */
import type { Check } from '../check.js';
import { good, orGood, unknown, type Verdict, warning, wrong } from '../verdict.js';

export const vpnIsUp: Check = {
  id: 'vpn',
  asks: 'Is the VPN connected?',
  look: ({ settings, vpns, orchestrator, docker }) => {
    if (settings === null) return [unknown('the settings are wrong')];
    if (settings.vpnContainers.length === 0) return [good('none is set (GLUETUN_CONTAINER_NAME)')];
    const seen = orchestrator.reached ? (orchestrator.vpn?.vpns ?? []) : [];
    const problems = vpns.flatMap(({ name, container, control }): Verdict[] => {
      const own = seen.find(({ container_name: other }) => other === name);
      const logs = `\`docker logs ${name} --tail 50\` says why`;
      if (container === null && docker?.reached)
        return [wrong(`there is no container ${name}`, 'Start it, or correct GLUETUN_CONTAINER_NAME (docs/vpn.md).')];
      if (container !== null && container.status !== 'running')
        return [wrong(`the container ${name} is ${container.status}`, `\`docker compose restart gluetun\`; ${logs}.`)];
      if (own && !own.connected)
        return [wrong(`the VPN ${name} is not connected: ${own.reason ?? own.health}`, `\`docker compose restart gluetun\`; ${logs}.`)];
      const all: Verdict[] = [];
      if (control && !control.ok && control.code === 'unauthorized')
        all.push(wrong(control.problem, 'Put the same key into docker/gluetun/auth-config.toml and GLUETUN_API_KEY.'));
      if (container?.health === 'unhealthy')
        all.push(
          warning(
            `the health check of ${name} fails`,
            `More patience (retries: 5, timeout: 10s in its healthcheck), or another server; ${logs}.`,
          ),
        );
      if (own?.connected && own.forwarded_port === null)
        all.push(
          warning(
            `${name} forwards no port: peers cannot call the engines`,
            'VPN_PORT_FORWARDING=on where the provider has it (docs/vpn.md); else slower starts are normal.',
          ),
        );
      if (!own && control?.ok && control.status !== 'running')
        all.push(wrong(`Gluetun ${name} says that its VPN is ${control.status}`, `\`docker compose restart gluetun\`; ${logs}.`));
      return all;
    });
    const told = seen.map(({ container_name: name, reason }) => `${name}: ${reason ?? 'connected'}`).join(', ');
    if (problems.length === 0 && told === '' && vpns.every(({ container, control }) => container === null && control === null))
      return [unknown('nothing that could tell is reached from here')];
    return orGood(problems, told || 'the container runs');
  },
};
