import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { engineOrigin, rehostEngineUrl } from './address.js';

const engine = { host: 'engine-1', port: 19001 };

describe('the address of an engine', () => {
  it('keeps path and query of a URL and replaces its host', () => {
    expect(rehostEngineUrl('https://10.9.8.7:1/ace/stat/ab/cd?x=1', engine).href).toBe('http://engine-1:19001/ace/stat/ab/cd?x=1');
  });

  it('accepts a path', () => {
    expect(rehostEngineUrl('/ace/cmd/ab/cd', engine).href).toBe('http://engine-1:19001/ace/cmd/ab/cd');
  });

  it('rejects URLs that are not http', () => {
    expect(() => rehostEngineUrl('file:///etc/passwd', engine)).toThrow(TypeError);
  });

  it('writes an IPv6 address in brackets', () => {
    expect(engineOrigin({ host: '::1', port: 6878 })).toBe('http://[::1]:6878');
  });

  it('always has the host and port of the engine, whatever the URL', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl(),
          fc.webPath(),
          fc.string().map((text) => `//${text}`),
        ),
        (url) => {
          let target: URL;
          try {
            target = rehostEngineUrl(url, engine);
          } catch (error) {
            expect(error).toBeInstanceOf(TypeError);
            return;
          }
          expect(target.host).toBe('engine-1:19001');
        },
      ),
    );
  });
});
