import { type DeclaredSetting, declaredSettings, namesOf, parseSetting, remarksOnNames, withSettings } from '@acexy/service-kit';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { describe, expect, it } from 'vitest';
import { DockerFilterSettings } from '../apps/orchestrator/src/docker-filter/docker-filter-settings.js';
import { ORCHESTRATOR_SETTINGS } from '../apps/orchestrator/src/settings.js';
import { PROXY_SETTINGS } from '../apps/proxy/src/app/settings.js';
import { ROOT } from './support/service-process.js';

const read = (name: string): string => readFileSync(join(ROOT, name), 'utf8');
const page = read('docs/configuration.md');
const groups = { orchestrator: ORCHESTRATOR_SETTINGS.groups, proxy: PROXY_SETTINGS.groups, 'docker-filter': [DockerFilterSettings] };
const settings = Object.values(groups).flat().flatMap(declaredSettings);
/** All settings by each of their names; a name may belong to both services. */
const settingsNamed = (name: string): DeclaredSetting[] =>
  settings.filter(({ name: own, aliases = [], secret }) => [own, ...aliases, ...(secret ? [`${own}_FILE`] : [])].includes(name));
/** Variables of only the compose files: rows of their table in the page. */
const forCompose = [
  ...page
    .split('## Variables of the compose files')[1]
    .split('\n## ')[0]
    .matchAll(/^\| `([A-Z_]+)`/gm),
].map(([, name]) => name);

describe('docs/configuration.md', () => {
  it('matches the declarations of the settings (npm run docs:configuration writes it)', async () => {
    const file = join(ROOT, 'docs/configuration.md');
    const made = withSettings(page, groups);
    expect(page).toBe(await format(made, { ...(await resolveConfig(file)), filepath: file }));
  });

  it('says that ENV_FILE works with compose, and every compose file with our services passes it to all of them', () => {
    const stacks = readdirSync(ROOT).filter((name) => /^docker-compose.*\.yml$/.test(name) && read(name).includes('ACEXY_ORCH_URL'));
    const passed = stacks.map((name) => [name, read(name).split('ENV_FILE: ${ENV_FILE:-}').length - 1]);
    expect(passed).toEqual(stacks.map((name) => [name, read(name).includes('docker-filter') ? 3 : 2]));
  });

  it('has every variable of the compose files', () => {
    const files = readdirSync(ROOT).filter((name) => /^docker-compose.*\.yml$/.test(name));
    const variables = new Set(files.flatMap((name) => [...read(name).matchAll(/\$\{([A-Z_]+)/g)].map(([, variable]) => variable)));
    const unknown = [...variables].filter((name) => !forCompose.includes(name) && settingsNamed(name).length === 0);
    expect({ files: files.length > 2, unknown }).toEqual({ files: true, unknown: [] });
  });
});

it('no service takes a setting of another part of the project for a wrong name', () => {
  const ofSimulator = [...read('apps/engine-simulator/README.md').matchAll(/`(SIM_[A-Z_]+)`/g)].map(([, name]) => name);
  const names = [...namesOf(Object.values(groups).flat()), ...forCompose, ...ofSimulator];
  const environment = Object.fromEntries(names.map((name) => [name, 'set']));
  const reported = [ORCHESTRATOR_SETTINGS, PROXY_SETTINGS].flatMap((definition) => remarksOnNames(definition, environment));
  expect({ names: names.length > 100, reported }).toEqual({ names: true, reported: [] });
});

describe('.env.example', () => {
  const lines = [...read('.env.example').matchAll(/^#?([A-Z][A-Z0-9_]*)=(.*)$/gm)].map(([, name, value]) => ({ name, value }));

  it('has every setting', () => {
    expect(settings.map(({ name }) => name).filter((name) => !lines.some((line) => line.name === name))).toEqual([]);
  });

  it.each(lines.map(({ name, value }) => [`${name}=${value}`, name, value]))('%s is valid', (_, name, value) => {
    const named = settingsNamed(name);
    if (named.length === 0) return expect(forCompose).toContain(name);
    for (const setting of named) if (value !== '') expect(() => parseSetting(setting, value)).not.toThrow();
  });

  it('shows the default of a setting, if it has one, or another example', () => {
    const differing = settings.filter(
      ({ name, default: fallback }) => fallback !== undefined && !lines.some((line) => line.name === name && line.value === fallback),
    );
    expect(differing.map(({ name, default: fallback }) => `${name}=${fallback}`)).toEqual([]);
  });
});
