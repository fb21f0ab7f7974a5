/** What a service needs later or not at all costs it processor time and memory at start: Swagger a tenth of both. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url);

/** Ends the process when one of these packages is imported, or required: a package may catch the error of an optional one. */
const preload = (packages: string[]): string => {
  const fail = (specifier: string, parent: string): string =>
    `if (${JSON.stringify(packages)}.includes(${specifier})) throw new Error(${specifier} + ' loaded by ' + ${parent});`;
  const hooks = `export async function resolve(specifier, context, next) {
    ${fail('specifier', 'context.parentURL')}
    return next(specifier, context);
  }`;
  return dataUrl(`
    import Module, { register } from 'node:module';
    register(${JSON.stringify(dataUrl(hooks))});
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (specifier, parent, ...rest) => {
      try {
        ${fail('specifier', 'parent?.filename')}
      } catch (error) {
        console.error(error.message);
        process.exit(1);
      }
      return resolve(specifier, parent, ...rest);
    };
  `);
};

function dataUrl(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

async function runWithout(packages: string[], code: string): Promise<string> {
  const { stdout } = await run(process.execPath, [
    '--import',
    preload(packages),
    '--input-type=module',
    '--eval',
    `${code}; process.exit(0);`,
  ]);
  return stdout.trim();
}

/** Code that loads a built file or a file of a package. */
function loading(file: string): string {
  return `await import(${JSON.stringify(new URL(file, ROOT).href)})`;
}

describe('the built services', () => {
  it.each([
    // Axios is for Gluetun, dockerode for Docker.
    ['orchestrator', ['app.module', 'configure-app'], ['@nestjs/swagger', 'axios', 'dockerode']],
    ['proxy', ['create-app', 'create-front'], ['@nestjs/swagger', 'class-validator']],
  ])('load nothing at start that they may never need: %s', async (service, files, packages) => {
    const code = files.map((file) => loading(`apps/${service}/dist/app/${file}.js`)).join('; ');
    expect(await runWithout(packages, `${code}; console.log('loaded')`)).toBe('loaded');
  });

  it.each([
    ['an import', `(${loading('libs/service-kit/dist/openapi/decorators.js')}).loadSwagger()`],
    ['an optional package', `(${loading('node_modules/@nestjs/terminus/dist/index.js')}).HealthCheck()`],
  ])('would fail this check because of %s', async (_what, code) => {
    await expect(runWithout(['@nestjs/swagger'], `await ${code}`)).rejects.toThrow('@nestjs/swagger loaded by');
  });
});
