import type { Generation, Role } from './control-server.js';
import type { VpnOptions } from './vpn-connection.js';

/** An environment variable has an invalid value. The message names the variable. */
export class OptionError extends Error {
  readonly code = 'bad_option';
}

export interface Options {
  vpn: VpnOptions;
  /** Null rejects every request, as a Gluetun without a role does. */
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
  const number = (name: string, fallback: number, max: number): number => {
    const text = env[name];
    const value = text === undefined || text === '' ? fallback : Number(text);
    if (!Number.isInteger(value) || value < 0 || value > max)
      throw new OptionError(`${name} is "${text}": it must be a number from 0 to ${max}`);
    return value;
  };
  const port = (name: string, fallback: number): number => number(name, fallback, 65_535);
  const generation = env.GLUETUN_SIM_GENERATION || 'current';
  if (generation !== 'current' && generation !== 'older')
    throw new OptionError(`GLUETUN_SIM_GENERATION is "${generation}": it must be current or older`);
  return {
    vpn: {
      connectMs: number('GLUETUN_SIM_CONNECT_MS', 300, 3_600_000),
      portDelayMs: number('GLUETUN_SIM_PORT_DELAY_MS', 300, 3_600_000),
      forwardedPort: port('GLUETUN_SIM_FORWARDED_PORT', 51_413),
      publicIp: env.GLUETUN_SIM_PUBLIC_IP || '203.0.113.7',
    },
    role: parseRole(env[ROLE]),
    generation,
    controlPort: port('GLUETUN_SIM_PORT', 8000),
    faultApiPort: port('GLUETUN_SIM_CONTROL_PORT', 8001),
    tunnelTargetPort: port('GLUETUN_SIM_TUNNEL_PORT', 8002),
    faultApiHost: env.GLUETUN_SIM_CONTROL_HOST || '127.0.0.1',
  };
}

function parseRole(text: string | undefined): Role | null {
  if (text === undefined || text === '') return null;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new OptionError(`${ROLE} is not JSON`);
  }
  const { auth, apikey, username, password } = (value ?? {}) as Record<string, unknown>;
  if (auth === 'none') return { auth };
  if (auth === 'apikey' && typeof apikey === 'string' && apikey !== '') return { auth, apikey };
  if (auth === 'basic' && typeof username === 'string' && typeof password === 'string') return { auth, username, password };
  throw new OptionError(`${ROLE}: auth must be "none", "apikey" with apikey, or "basic" with username and password`);
}
