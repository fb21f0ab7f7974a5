/** The proxy starts faster and needs less memory without Swagger, which only the orchestrator uses. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

const run = promisify(execFile);
const ROOT = new URL('../../', import.meta.url);

/** Module hooks that make the import of Swagger fail. */
const HOOKS = dataUrl(`export async function resolve(specifier, context, next) {
  if (specifier.startsWith('@nestjs/swagger')) throw new Error('Swagger imported by ' + context.parentURL);
  return next(specifier, context);
}`);
const REGISTER = dataUrl(`import { register } from 'node:module'; register(${JSON.stringify(HOOKS)});`);

function dataUrl(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}

async function importWithoutSwagger(file: string): Promise<string> {
  const code = `await import(${JSON.stringify(new URL(file, ROOT).href)}); console.log('imported'); process.exit(0);`;
  const { stdout } = await run(process.execPath, ['--import', REGISTER, '--input-type=module', '--eval', code]);
  return stdout.trim();
}

describe('the built proxy', () => {
  it('does not load Swagger', async () => {
    expect(await importWithoutSwagger('apps/proxy/dist/app/create-app.js')).toBe('imported');
  });

  it('would fail this check if it imported the decorated classes of the wire API', async () => {
    await expect(importWithoutSwagger('libs/contracts/dist/index.js')).rejects.toThrow('Swagger imported by');
  });
});
