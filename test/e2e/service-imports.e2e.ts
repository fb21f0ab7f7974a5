/** Both services start faster and need less memory without Swagger, which they load when somebody reads the API documentation. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url);

/** Ends the process when Swagger is imported, or required: a package may catch the error of an optional one. */
const HOOKS = dataUrl(`export async function resolve(specifier, context, next) {
  if (specifier.startsWith('@nestjs/swagger')) throw new Error('Swagger loaded by ' + context.parentURL);
  return next(specifier, context);
}`);
const PRELOAD = dataUrl(`
  import Module, { register } from 'node:module';
  register(${JSON.stringify(HOOKS)});
  const resolve = Module._resolveFilename;
  Module._resolveFilename = (specifier, parent, ...rest) => {
    if (specifier.startsWith('@nestjs/swagger')) {
      console.error('Swagger loaded by ' + parent?.filename);
      process.exit(1);
    }
    return resolve(specifier, parent, ...rest);
  };
`);

function dataUrl(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

async function runWithoutSwagger(code: string): Promise<string> {
  const { stdout } = await run(process.execPath, ['--import', PRELOAD, '--input-type=module', '--eval', `${code}; process.exit(0);`]);
  return stdout.trim();
}

/** Code that loads a built file or a file of a package. */
function loading(file: string): string {
  return `await import(${JSON.stringify(new URL(file, ROOT).href)})`;
}

describe('the built services', () => {
  it.each([
    ['orchestrator', ['app.module', 'configure-app']],
    ['proxy', ['create-app', 'create-front']],
  ])('do not load Swagger at start: %s', async (service, files) => {
    const code = files.map((file) => loading(`apps/${service}/dist/app/${file}.js`)).join('; ');
    expect(await runWithoutSwagger(`${code}; console.log('loaded')`)).toBe('loaded');
  });

  it.each([
    ['the decorators', `(${loading('libs/service-kit/dist/openapi/decorators.js')}).loadSwagger()`],
    ['Terminus', `(${loading('node_modules/@nestjs/terminus/dist/index.js')}).HealthCheck()`],
  ])('would fail this check if it were loaded by %s', async (_who, code) => {
    await expect(runWithoutSwagger(`await ${code}`)).rejects.toThrow('Swagger loaded by');
  });
});
