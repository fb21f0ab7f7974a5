import type { Generation } from './control-server.js';
import { OptionError, parseRole, type Role } from './roles.js';
import type { VpnOptions } from './simulated-vpn.js';

export interface Options {
  vpn: VpnOptions;
  role: Role | null;
  generation: Generation;
  /** Ports of the control server, of the fault API and of the target behind the tunnel. */
  controlPort: number;
  faultApiPort: number;
  tunnelTargetPort: number;
  /** Listen address of the fault API; other than 127.0.0.1 only in a container. */
  faultApiHost: string;
}

const ROLE = 'HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE';

/** Reads the environment. Throws OptionError. */
export function readOptions(env: Readonly<Record<string, string | undefined>>): Options {
  const number = (name: string, fallback: number, most: number): number => {
    const text = env[name];
    const value = text === undefined || text === '' ? fallback : Number(text);
    if (!Number.isInteger(value) || value < 0 || value > most) throw new OptionError(`${name}: "${text}" is no number from 0 to ${most}`);
    return value;
  };
  const port = (name: string, fallback: number): number => number(name, fallback, 65_535);
  const generation = env.GLUETUN_SIM_GENERATION || 'current';
  if (generation !== 'current' && generation !== 'older') throw new OptionError('GLUETUN_SIM_GENERATION: must be current or older');
  return {
    vpn: {
      connectMs: number('GLUETUN_SIM_CONNECT_MS', 300, 3_600_000),
      portDelayMs: number('GLUETUN_SIM_PORT_DELAY_MS', 300, 3_600_000),
      forwardedPort: port('GLUETUN_SIM_FORWARDED_PORT', 51_413),
      publicIp: env.GLUETUN_SIM_PUBLIC_IP || '203.0.113.7',
    },
    role: parseRole(ROLE, env[ROLE]),
    generation,
    controlPort: port('GLUETUN_SIM_PORT', 8000),
    faultApiPort: port('GLUETUN_SIM_CONTROL_PORT', 8001),
    tunnelTargetPort: port('GLUETUN_SIM_TUNNEL_PORT', 8002),
    faultApiHost: env.GLUETUN_SIM_CONTROL_HOST || '127.0.0.1',
  };
}
