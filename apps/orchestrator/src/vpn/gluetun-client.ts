import axios, { type AxiosInstance, type AxiosResponse, isAxiosError } from 'axios';

/** Who may call Gluetun's control server: a key, or a name with a password; neither where its role needs none. */
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
  /** Milliseconds for one call. */
  timeoutMs: number;
}

export type GluetunErrorCode = 'unauthorized' | 'not_found' | 'unreachable' | 'bad_reply';

/** The control server did not answer as it should; the message says what to do about it. */
export class GluetunError extends Error {
  constructor(
    readonly code: GluetunErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'GluetunError';
  }
}

/** The second is its name before Gluetun 3.41; newer ones only redirect from there. */
const PORT_PATHS = ['/v1/portforward', '/v1/openvpn/portforwarded'] as const;
/** Replies have some dozen bytes. */
const MAX_REPLY_BYTES = 64 * 1024;

/** The control server of one Gluetun container. Every call ends within its limit, in an answer or in a {@link GluetunError}. */
export class GluetunClient {
  private readonly http: AxiosInstance;
  private portPath: (typeof PORT_PATHS)[number] | null = null;

  constructor(private readonly options: GluetunClientOptions) {
    const { host, port, credentials, timeoutMs } = options;
    const { apiKey, username, password } = credentials;
    this.http = axios.create({
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

  /** `running`, `stopped`, `starting`, `stopping`, `crashed` or `completed`. */
  async vpnStatus(signal: AbortSignal): Promise<string> {
    const { status } = await this.get('/v1/vpn/status', signal);
    if (typeof status === 'string') return status;
    throw badReply('/v1/vpn/status', 'has no status');
  }

  /** The port that the VPN forwards to us; null where it forwards none (yet). */
  async forwardedPort(signal: AbortSignal): Promise<number | null> {
    const { port } = this.portPath === null ? await this.findPort(signal) : await this.get(this.portPath, signal);
    if (typeof port !== 'number' || !Number.isInteger(port) || port < 0 || port > 65_535) throw badReply('/v1/portforward', 'has no port');
    return port === 0 ? null : port;
  }

  /** The address that the Internet sees; null where Gluetun does not look for it. */
  async publicIp(signal: AbortSignal): Promise<string | null> {
    const { public_ip: address } = await this.get('/v1/publicip/ip', signal);
    return typeof address === 'string' && address !== '' ? address : null;
  }

  /** By whichever name this Gluetun knows it. A role that has only one of them answers 401 to the other, as it does to what it does not know. */
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
    let response: AxiosResponse<string>;
    try {
      response = await this.http.get<string>(path, { signal });
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      const { host, port } = this.options;
      const why = isAxiosError(error) ? (error.code ?? error.message) : String(error);
      throw new GluetunError('unreachable', `the control server of Gluetun does not answer at ${host}:${port} (${why})`, { cause: error });
    }
    switch (response.status) {
      case 200:
        return parseObject(path, response.data);
      case 401:
      case 403:
        throw new GluetunError(
          'unauthorized',
          `Gluetun refuses GET ${path}: set GLUETUN_API_KEY to the key of a role that lists this route (see docs/vpn.md)`,
        );
      case 301:
      case 404:
        throw new GluetunError('not_found', `Gluetun knows no ${path}`);
      default:
        throw badReply(path, `has status ${response.status}`);
    }
  }
}

function parseObject(path: string, text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Told below, with what was said instead.
  }
  throw badReply(path, `is no JSON object but "${text.slice(0, 60)}"`);
}

function badReply(path: string, what: string): GluetunError {
  return new GluetunError('bad_reply', `the answer of Gluetun to GET ${path} ${what}`);
}
