import type { Generation } from './control-server.js';
import { OptionError, parseRole, type Role } from './roles.js';
import type { VpnOptions } from './simulated-vpn.js';

export interface Options {
  vpn: VpnOptions;
  role: Role | null;
  generation: Generation;
  /** Ports of the control server, of the orders of tests, and of what lies behind the tunnel. */
  controlPort: number;
  badDayPort: number;
  farEndPort: number;
  /** Where the orders of tests are heard: elsewhere than on 127.0.0.1 only in a container. */
  badDayHost: string;
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
    badDayPort: port('GLUETUN_SIM_CONTROL_PORT', 8001),
    farEndPort: port('GLUETUN_SIM_TUNNEL_PORT', 8002),
    badDayHost: env.GLUETUN_SIM_CONTROL_HOST || '127.0.0.1',
  };
}
