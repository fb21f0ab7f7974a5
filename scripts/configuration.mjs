/** `npm run docs:configuration`: generates the tables in docs/configuration.md from the declarations of the settings. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { ROOT, prepare } from './prepare.mjs';

prepare();
const { withSettings } = await import(join(ROOT, 'libs/service-kit/dist/index.js'));
const { ORCHESTRATOR_SETTINGS } = await import(join(ROOT, 'apps/orchestrator/dist/settings.js'));
const { DockerFilterSettings } = await import(join(ROOT, 'apps/orchestrator/dist/docker-filter/docker-filter-settings.js'));
const { PROXY_SETTINGS } = await import(join(ROOT, 'apps/proxy/dist/app/settings.js'));

const file = join(ROOT, 'docs/configuration.md');
const page = withSettings(readFileSync(file, 'utf8'), {
  orchestrator: ORCHESTRATOR_SETTINGS.groups,
  proxy: PROXY_SETTINGS.groups,
  'docker-filter': [DockerFilterSettings],
});
writeFileSync(file, await format(page, { ...(await resolveConfig(file)), filepath: file }));
