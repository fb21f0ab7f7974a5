import { describe, expect, it } from 'vitest';
import { InputError } from '../input-error.js';
import { splitWords } from './command-line.js';
import { readOptions } from './engine-options.js';

const noFile = (path: string): string => {
  throw new Error(`no file ${path}`);
};
const read = (args: string[], environment: NodeJS.ProcessEnv = {}, readFile = noFile) => readOptions(args, environment, readFile).options;

describe('command line', () => {
  it('accepts both forms of a value', () => {
    expect(read(['--client-console', '--http-port', '7001', '--https-port=7002', '--api-port=7003', '--port', '7004'])).toMatchObject({
      httpPort: 7001,
      httpsPort: 7002,
      apiPort: 7003,
      p2pPort: 7004,
    });
  });

  it('has the defaults of a real engine and listens on this host only', () => {
    expect(read([])).toMatchObject({ httpPort: 6878, httpsPort: 6879, apiPort: 62_062, p2pPort: 8621, host: '127.0.0.1', controlPort: 0 });
  });

  it('listens on all interfaces with --bind-all', () => {
    expect(read(['--bind-all']).host).toBe('0.0.0.0');
  });

  it('accepts the commands of engine images', () => {
    const head = [
      'python',
      'main.py',
      '--http-port',
      '7001',
      '--api-port',
      '7003',
      '--bind-all',
      '--disable-sentry',
      '--log-stdout',
      '--disable-upnp',
    ];
    expect(read([...head, '--live-cache-type', 'memory', '--live-mem-cache-size', '104857600', '--core-x=1']).httpPort).toBe(7001);
    expect(read(['/acestream/acestreamengine', '--client-console', '--bind-all']).host).toBe('0.0.0.0');
  });

  it('reads options from a file', () => {
    const file = '# ports\n--http-port=7001\n\n--https-port 7002\n';
    expect(read(['@/app/acestream.conf', '--bind-all'], {}, () => file)).toMatchObject({
      httpPort: 7001,
      httpsPort: 7002,
      host: '0.0.0.0',
    });
    expect(() => read(['@gone'])).toThrow(InputError);
  });

  it('logs nothing that stands in a file: CONF may name any file of the container', () => {
    const text = 'root:x:0:0:root\n--login alice\n--secret-thing=hunter2\n--http-port=7001\n';
    const environment = { CONF: '@/etc/shadow\n--port=8700', SIM_UNKNOWN_OPTION_FAILS: 'false' };
    const { options, ignored } = readOptions(['--bind-all', '--access-token=t'], environment, () => text);
    expect(options.httpPort).toBe(7001);
    expect(Object.fromEntries(options.given)).toEqual({
      login: '***',
      'http-port': '***',
      port: '8700',
      'bind-all': true,
      'access-token': '***',
    });
    expect(ignored).toEqual(['an option in /etc/shadow']);
    expect(() => readOptions([], { CONF: '@/etc/shadow' }, () => text)).toThrow(/^unrecognized option: an option in \/etc\/shadow$/);
    expect(() => read(['@/etc/shadow'], {}, () => '--http-port=root:x')).toThrow(/^http-port is "\*\*\*": it must be a port/);
  });

  it('rejects an unknown option, unless the setting allows it', () => {
    expect(() => read(['--warp-drive', '9'])).toThrow(/unrecognized option: --warp-drive/);
    const tolerant = readOptions(['--warp-drive', '9', '--http-port', '7001'], { SIM_UNKNOWN_OPTION_FAILS: 'false' }, noFile);
    expect(tolerant.ignored).toEqual(['--warp-drive']);
    expect(tolerant.options.httpPort).toBe(7001);
  });

  it('rejects invalid ports', () => {
    for (const port of ['70000', 'x', '-1', '']) expect(() => read([`--http-port=${port}`])).toThrow(InputError);
    expect(() => read(['--http-port', '--bind-all'])).toThrow(/option --http-port has no value/);
  });

  it('splits words as a shell does', () => {
    expect(splitWords(` --login "a b" --user-agent='x y' z`)).toEqual(['--login', 'a b', '--user-agent=x y', 'z']);
  });
});

describe('environment of engine images', () => {
  const environment = {
    CONF: '--http-port=19001\n--https-port=45001\n--bind-all',
    HTTP_PORT: '19002',
    HTTPS_PORT: '45002',
    BIND_ALL: 'true',
    INTERNAL_BUFFERING: '60',
    CACHE_LIMIT: '1',
    P2P_PORT: '50123',
  };

  it('sets the ports and the interface', () => {
    expect(read([], { ...environment, CONF: undefined })).toMatchObject({
      httpPort: 19_002,
      httpsPort: 45_002,
      p2pPort: 50_123,
      host: '0.0.0.0',
    });
  });

  it('has less priority than CONF, and CONF less than the command line', () => {
    expect(read([], environment)).toMatchObject({ httpPort: 19_001, httpsPort: 45_001 });
    expect(read(['--http-port', '19003'], environment)).toMatchObject({ httpPort: 19_003, httpsPort: 45_001 });
  });

  it('sets the port of the control API, also relative to the HTTP port', () => {
    expect(read([], { SIM_CONTROL_PORT: '7777' }).controlPort).toBe(7777);
    expect(read(['--http-port=19005'], { SIM_CONTROL_PORT: '+400' }).controlPort).toBe(19_405);
    expect(() => read([], { SIM_CONTROL_PORT: '+70000' })).toThrow(InputError);
  });

  it('reports unknown SIM_ variables', () => {
    expect(readOptions([], { SIM_PREBUFF_MS: '1', SIM_PREBUF_MS: '1', SIM_ENGINE_ID: 'x' }, noFile).ignored).toEqual(['SIM_PREBUFF_MS']);
  });

  it('adds extra arguments and remote access', () => {
    expect(read([], { ACESTREAM_ARGS: '--http-port 7001', EXTRA_FLAGS: '--port=7004', ALLOW_REMOTE_ACCESS: 'yes' })).toMatchObject({
      httpPort: 7001,
      p2pPort: 7004,
      host: '0.0.0.0',
    });
  });
});
