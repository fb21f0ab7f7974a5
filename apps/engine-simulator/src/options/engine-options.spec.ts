import { describe, expect, it } from 'vitest';
import { OptionError, splitWords } from './command-line.js';
import { readOptions } from './engine-options.js';

const noFile = (path: string): string => {
  throw new Error(`no file ${path}`);
};
const read = (args: string[], environment: NodeJS.ProcessEnv = {}, readFile = noFile) => readOptions(args, environment, readFile).options;

describe('the command line', () => {
  it('takes both ways of writing a value', () => {
    expect(read(['--client-console', '--http-port', '7001', '--https-port=7002', '--api-port=7003', '--port', '7004'])).toMatchObject({
      httpPort: 7001,
      httpsPort: 7002,
      apiPort: 7003,
      p2pPort: 7004,
    });
  });

  it('has the defaults of an engine, on this host only', () => {
    expect(read([])).toMatchObject({ httpPort: 6878, httpsPort: 6879, apiPort: 62_062, p2pPort: 8621, host: '127.0.0.1', controlPort: 0 });
  });

  it('listens everywhere with --bind-all', () => {
    expect(read(['--bind-all']).host).toBe('0.0.0.0');
  });

  it('starts like the images do', () => {
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
    expect(() => read(['@gone'])).toThrow(OptionError);
  });

  it('ends with an option it does not know, unless told otherwise', () => {
    expect(() => read(['--warp-drive', '9'])).toThrow(/unrecognized option: --warp-drive/);
    const tolerant = readOptions(['--warp-drive', '9', '--http-port', '7001'], { SIM_UNKNOWN_OPTION_FAILS: 'false' }, noFile);
    expect(tolerant.ignored).toEqual(['--warp-drive']);
    expect(tolerant.options.httpPort).toBe(7001);
  });

  it('refuses ports that are none', () => {
    for (const port of ['70000', 'x', '-1', '']) expect(() => read([`--http-port=${port}`])).toThrow(OptionError);
    expect(() => read(['--http-port', '--bind-all'])).toThrow(/expected one value/);
  });

  it('splits words as a shell does', () => {
    expect(splitWords(` --login "a b" --user-agent='x y' z`)).toEqual(['--login', 'a b', '--user-agent=x y', 'z']);
  });
});

describe('the environment of the images', () => {
  const environment = {
    CONF: '--http-port=19001\n--https-port=45001\n--bind-all',
    HTTP_PORT: '19002',
    HTTPS_PORT: '45002',
    BIND_ALL: 'true',
    INTERNAL_BUFFERING: '60',
    CACHE_LIMIT: '1',
    P2P_PORT: '50123',
  };

  it('is understood', () => {
    expect(read([], { ...environment, CONF: undefined })).toMatchObject({
      httpPort: 19_002,
      httpsPort: 45_002,
      p2pPort: 50_123,
      host: '0.0.0.0',
    });
  });

  it('gives way to CONF, and CONF to the command line', () => {
    expect(read([], environment)).toMatchObject({ httpPort: 19_001, httpsPort: 45_001 });
    expect(read(['--http-port', '19003'], environment)).toMatchObject({ httpPort: 19_003, httpsPort: 45_001 });
  });

  it('puts the control API on a port of its own, or so far above the HTTP port', () => {
    expect(read([], { SIM_CONTROL_PORT: '7777' }).controlPort).toBe(7777);
    expect(read(['--http-port=19005'], { SIM_CONTROL_PORT: '+400' }).controlPort).toBe(19_405);
    expect(() => read([], { SIM_CONTROL_PORT: '+70000' })).toThrow(OptionError);
  });

  it('is told which settings of the simulation mean nothing', () => {
    expect(readOptions([], { SIM_PREBUFF_MS: '1', SIM_PREBUF_MS: '1', SIM_ENGINE_ID: 'x' }, noFile).ignored).toEqual(['SIM_PREBUFF_MS']);
  });

  it('takes extra arguments and remote access', () => {
    expect(read([], { ACESTREAM_ARGS: '--http-port 7001', EXTRA_FLAGS: '--port=7004', ALLOW_REMOTE_ACCESS: 'yes' })).toMatchObject({
      httpPort: 7001,
      p2pPort: 7004,
      host: '0.0.0.0',
    });
  });
});
