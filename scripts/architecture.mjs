/** `npm run docs:architecture`: generates the tables in docs/architecture.md from scripts/import-table.cjs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { withTables } from './import-table.cjs';

const file = join(dirname(dirname(fileURLToPath(import.meta.url))), 'docs/architecture.md');
writeFileSync(file, await format(withTables(readFileSync(file, 'utf8')), { ...(await resolveConfig(file)), filepath: file }));
