import { ValidateBy, type ValidationOptions } from 'class-validator';

const MAX_ENTRIES = 100;
const MAX_PORT = 65_535;

/** The property is an object like `{"40001/tcp": 19001}`: ports of a container, and the port of the host that each is published as. */
export function IsPortMap(options?: ValidationOptions): PropertyDecorator {
  return ValidateBy(
    {
      name: 'isPortMap',
      validator: {
        validate: (value: unknown): boolean => faultOf(value) === null,
        defaultMessage: (args): string => `${args?.property ?? 'value'} ${faultOf(args?.value) ?? 'is wrong'}`,
      },
    },
    options,
  );
}

/** What is wrong with it, as the rest of a sentence; null where it is right. */
function faultOf(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'must be an object such as {"40001/tcp": 19001}';
  const entries = Object.entries(value as Record<string, unknown>);
  if (entries.length > MAX_ENTRIES) return `must have at most ${MAX_ENTRIES} entries`;
  const taken = new Set<string>();
  for (const [container, host] of entries) {
    const [, port, protocol] = /^([1-9]\d{0,4})\/(tcp|udp)$/.exec(container) ?? [];
    if (port === undefined || Number(port) > MAX_PORT)
      return `has the key ${quoted(container)}, which must be a port and its protocol, such as "40001/tcp" or "40001/udp"`;
    if (!Number.isInteger(host) || (host as number) < 1 || (host as number) > MAX_PORT)
      return `gives ${quoted(container)} the port ${quoted(host)} of the host, which must be a whole number from 1 to ${MAX_PORT}`;
    if (taken.has(`${String(host)}/${protocol}`)) return `has port ${String(host)}/${protocol} of the host twice`;
    taken.add(`${String(host)}/${protocol}`);
  }
  return null;
}

/** As JSON, and never much of it. */
function quoted(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 50);
}
