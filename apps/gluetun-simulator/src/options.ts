import { type Role, unknownRoute, type Version, VERSIONS } from './control-server.js';
import { OptionError } from './option-error.js';
import { parseRoleFile, toAuth } from './role-file.js';
import type { TunnelProbeOptions } from './tunnel-probe.js';
import type { VpnOptions } from './vpn-connection.js';

export interface Options {
  vpn: VpnOptions;
  roles: readonly Role[];
  version: Version;
  /** Ports of the control server, of the fault API and of the target behind the tunnel. */
  controlPort: number;
  faultApiPort: number;
  tunnelTargetPort: number;
  /** Listen address of the fault API; other than 127.0.0.1 only in a container. */
  faultApiHost: string;
  /** Address behind a real tunnel. The simulated VPN is up while it accepts connections; null: the fault API decides alone. */
  probe: TunnelProbeOptions | null;
}

const ROLE = 'HTTP_CONTROL_SERVER_AUTH_DEFAULT_ROLE';

/**
 * Reads the environment.
 * @param roleFile text of Gluetun's role file; null if there is none
 * @throws OptionError
 */
export function readOptions(env: Readonly<Record<string, string | undefined>>, roleFile: string | null): Options {
  const number = (name: string, fallback: number, max: number): number => {
    const text = env[name];
    const value = text === undefined || text === '' ? fallback : Number(text);
    if (!Number.isInteger(value) || value < 0 || value > max)
      throw new OptionError(`${name} is "${text}": it must be a number from 0 to ${max}`);
    return value;
  };
  const port = (name: string, fallback: number): number => number(name, fallback, 65_535);
  const ports = (name: string, fallback: string): number[] => {
    const found = (env[name] || fallback).split(',').map(Number);
    if (found.some((each) => !Number.isInteger(each) || each < 0 || each > 65_535))
      throw new OptionError(`${name} is "${env[name]}": it must be ports from 0 to 65535, separated by commas`);
    return found.filter((each) => each !== 0);
  };
  const version = VERSIONS.find((each) => each === (env.GLUETUN_SIM_VERSION || '3.41'));
  if (!version) throw new OptionError(`GLUETUN_SIM_VERSION is "${env.GLUETUN_SIM_VERSION}": it must be one of ${VERSIONS.join(', ')}`);
  const roles = parseRoles(env[ROLE], roleFile);
  const unknown = unknownRoute(roles, version);
  if (unknown !== undefined) throw new OptionError(`route not supported by the control server of version ${version}: ${unknown}`);
  const probe = parseProbe(env.GLUETUN_SIM_PROBE, !env.GLUETUN_SIM_FORWARDED_PORTS);
  return {
    vpn: {
      connectMs: number('GLUETUN_SIM_CONNECT_MS', 300, 3_600_000),
      portDelayMs: number('GLUETUN_SIM_PORT_DELAY_MS', 300, 3_600_000),
      forwardedPorts: ports('GLUETUN_SIM_FORWARDED_PORTS', probe?.asksForPort ? '0' : '51413'),
      publicIp: env.GLUETUN_SIM_PUBLIC_IP || '203.0.113.7',
    },
    roles,
    version,
    controlPort: port('GLUETUN_SIM_PORT', 8000),
    faultApiPort: port('GLUETUN_SIM_CONTROL_PORT', 8001),
    tunnelTargetPort: port('GLUETUN_SIM_TUNNEL_PORT', 8002),
    faultApiHost: env.GLUETUN_SIM_CONTROL_HOST || '127.0.0.1',
    probe,
  };
}

/** The role of the environment is the default: it has the routes that no role of the file names. */
function parseRoles(json: string | undefined, file: string | null): Role[] {
  const roles = file === null ? [] : parseRoleFile(file);
  if (json === undefined || json === '') return roles;
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new OptionError(`${ROLE} is not JSON`);
  }
  return [...roles, { ...toAuth(value, ROLE), routes: null }];
}

function parseProbe(text: string | undefined, asksForPort: boolean): Options['probe'] {
  if (text === undefined || text === '') return null;
  const [host, port] = text.split(':');
  if (!host || !(Number(port) > 0)) throw new OptionError(`GLUETUN_SIM_PROBE is "${text}": it must be like 10.2.0.1:80`);
  return { host, port: Number(port), asksForPort };
}
