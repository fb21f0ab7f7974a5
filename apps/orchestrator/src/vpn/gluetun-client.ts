import type { AxiosInstance, AxiosResponse } from 'axios';
import { asError, CodedError } from '@acexy/service-kit/primitives';

/** Credentials for Gluetun's control server: an API key, or user name and password, or none if its role needs none. */
export interface GluetunCredentials {
  apiKey?: string;
  username?: string;
  password?: string;
}

export interface GluetunClientOptions {
  /** Host and port of the control server. */
  host: string;
  port: number;
  credentials: GluetunCredentials;
  /** Timeout of one call, in milliseconds. */
  timeoutMs: number;
}

export type GluetunErrorCode = 'unauthorized' | 'not_found' | 'unreachable' | 'bad_reply';

/** A call to the control server failed; the message says what to do. */
export class GluetunError extends CodedError {
  constructor(
    readonly code: GluetunErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The second path is for Gluetun before 3.41. Version 3.41 redirects it, 4 removes it. */
const PORT_PATHS = ['/v1/portforward', '/v1/openvpn/portforwarded'] as const;
/** Replies have less than a hundred bytes. */
const MAX_REPLY_BYTES = 64 * 1024;

/** Client for the control server of one Gluetun container. Every call ends within its timeout, with a reply or a {@link GluetunError}. */
export class GluetunClient {
  private http: Promise<AxiosInstance> | null = null;
  private portPath: (typeof PORT_PATHS)[number] | null = null;

  constructor(private readonly options: GluetunClientOptions) {}

  /** `running`, `stopped`, `starting`, `stopping`, `crashed` or `completed`. */
  async vpnStatus(signal: AbortSignal): Promise<string> {
    const { status } = await this.get('/v1/vpn/status', signal);
    if (typeof status === 'string') return status;
    throw badReply('/v1/vpn/status', 'has no status');
  }

  /** The forwarded ports in Gluetun's order; empty if there is none, or none yet. */
  async forwardedPorts(signal: AbortSignal): Promise<number[]> {
    const reply = this.portPath === null ? await this.findPort(signal) : await this.get(this.portPath, signal);
    const ports = forwardedPortsIn(reply);
    if (ports === null) throw badReply(this.portPath ?? PORT_PATHS[0], `has no ports: ${JSON.stringify(reply).slice(0, 60)}`);
    return ports;
  }

  /** The public IP address; null if Gluetun does not determine it. */
  async publicIp(signal: AbortSignal): Promise<string | null> {
    const { public_ip: address } = await this.get('/v1/publicip/ip', signal);
    return typeof address === 'string' && address !== '' ? address : null;
  }

  /** Finds the path that this version supports. A role that allows only one path answers 401 to the other. */
  private async findPort(signal: AbortSignal): Promise<Record<string, unknown>> {
    let first: GluetunError | undefined;
    for (const path of PORT_PATHS) {
      try {
        const reply = await this.get(path, signal);
        this.portPath = path;
        return reply;
      } catch (error) {
        if (!(error instanceof GluetunError) || (error.code !== 'not_found' && error.code !== 'unauthorized')) throw error;
        first ??= error;
      }
    }
    throw first as GluetunError;
  }

  private async get(path: string, signal: AbortSignal): Promise<Record<string, unknown>> {
    this.http ??= httpClient(this.options);
    const http = await this.http;
    let response: AxiosResponse<string>;
    try {
      response = await http.get<string>(path, { signal });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const { host, port } = this.options;
      const { code, message } = asError(error) as NodeJS.ErrnoException;
      throw new GluetunError('unreachable', `the control server of Gluetun does not answer at ${host}:${port} (${code ?? message})`, {
        cause: error,
      });
    }
    switch (response.status) {
      case 200:
        return parseObject(path, response.data);
      case 401:
      case 403:
        throw new GluetunError(
          'unauthorized',
          `Gluetun rejects GET ${path}: set GLUETUN_API_KEY to the key of a role that allows this route (see docs/vpn.md)`,
        );
      case 301:
      case 404:
        throw new GluetunError('not_found', `Gluetun has no route ${path}`);
      default:
        throw badReply(path, `has status ${response.status}`);
    }
  }
}

/** Axios is loaded for the first call: an orchestrator without a VPN starts without it. */
async function httpClient({ host, port, credentials, timeoutMs }: GluetunClientOptions): Promise<AxiosInstance> {
  const { apiKey, username, password } = credentials;
  const { default: axios } = await import('axios');
  return axios.create({
    baseURL: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    timeout: timeoutMs,
    proxy: false,
    maxRedirects: 0,
    maxContentLength: MAX_REPLY_BYTES,
    headers: apiKey === undefined ? {} : { 'X-API-Key': apiKey },
    ...(apiKey === undefined && username !== undefined && { auth: { username, password: password ?? '' } }),
    responseType: 'text',
    transformResponse: [],
    validateStatus: () => true,
  });
}

/**
 * The ports in a reply: Gluetun 4 has `ports`, earlier versions `port` or both. Without a port, `port` is 0, and `ports` is empty or null.
 * Null if the reply has neither field, or a value that is no port.
 */
export function forwardedPortsIn({ port, ports }: Record<string, unknown>): number[] | null {
  const listed = Array.isArray(ports) ? (ports as unknown[]) : ports === undefined || ports === null ? [] : null;
  if (listed === null || (port === undefined && ports === undefined)) return null;
  const all = listed.length > 0 ? listed : [port ?? 0];
  if (!all.every((each) => typeof each === 'number' && Number.isInteger(each) && each >= 0 && each <= 65_535)) return null;
  return [...new Set(all as number[])].filter((each) => each !== 0);
}

function parseObject(path: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // reported below, with the start of the text
  }
  throw badReply(path, `is no JSON object: "${text.slice(0, 60)}"`);
}

function badReply(path: string, what: string): GluetunError {
  return new GluetunError('bad_reply', `the reply of Gluetun to GET ${path} ${what}`);
}
