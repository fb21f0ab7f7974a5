/** Generates the tables of settings in the documentation from the declarations of the settings. */
import type { SettingsClass } from './load-settings.js';
import { type DeclaredSetting, declaredSettings } from './setting.js';

const GROUP = Symbol('settings group');

/** Heading of a settings group in the documentation. */
export function SettingsGroup(title: string): ClassDecorator {
  return (type) => Reflect.defineMetadata(GROUP, title, type);
}

/**
 * Replaces the text between the marks of each service, `<!-- settings of NAME -->` and `<!-- end of NAME -->`, by the tables of its settings.
 * @throws Error when the page has no marks for a service
 */
export function withSettings(page: string, services: Record<string, readonly SettingsClass[]>): string {
  return Object.entries(services).reduce((text, [name, groups]) => {
    const marked = new RegExp(`(<!-- settings of ${name} -->\n)[^]*(<!-- end of ${name} -->)`);
    if (!marked.test(text))
      throw new Error(`the page has no marks for ${name}: add <!-- settings of ${name} --> and <!-- end of ${name} -->`);
    // A function, because `$` in a replacement string has a special meaning.
    return text.replace(marked, (_, begin: string, end: string) => `${begin}\n${groups.map(settingsTable).join('\n')}\n${end}`);
  }, page);
}

function settingsTable(group: SettingsClass): string {
  const title = Reflect.getOwnMetadata(GROUP, group) as string | undefined;
  if (title === undefined) throw new Error(`${group.name} has no @SettingsGroup`);
  return [`### ${title}`, '', '| Name | Type | Default | Meaning |', '|---|---|---|---|', ...declaredSettings(group).map(row), ''].join(
    '\n',
  );
}

function row(setting: DeclaredSetting): string {
  const names = [`\`${setting.name}\``, ...(setting.aliases ?? []).map((alias) => `alias \`${alias}\``)].join('<br>');
  const fallback = setting.default === undefined ? '–' : `\`${setting.default}\``;
  const meaning = setting.secret ? `${setting.help}. May be read from a file instead: \`${setting.name}_FILE\`` : setting.help;
  return `| ${[names, typeOf(setting), fallback, meaning].map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

function typeOf(setting: DeclaredSetting): string {
  switch (setting.type) {
    case 'string':
      return setting.secret ? 'text, secret' : 'text';
    case 'integer':
      return `whole number${bounds(setting)}`;
    case 'number':
      return `number${bounds(setting)}`;
    case 'seconds':
      return `seconds${bounds({ ...setting, min: setting.min ?? 0 })}`;
    case 'duration':
      return `duration (\`500ms\`, \`3s\`, \`1m30s\`)${bounds(setting)}`;
    case 'size':
      return `size (\`4.2MiB\`, \`512KB\`)${bounds(setting)}`;
    case 'boolean':
      return '`true` or `false`';
    case 'port':
      return 'port';
    case 'port-range':
      return 'ports (`first-last`)';
    case 'address':
      return 'address (`:8080`, `127.0.0.1:8080`)';
    case 'url':
      return 'URL';
    case 'choice':
      return (setting.choices ?? []).map((choice) => `\`${choice}\``).join(', ');
    default:
      throw new TypeError(`unknown setting type ${String(setting.type satisfies never)}`);
  }
}

function bounds({ min, max }: Pick<DeclaredSetting, 'min' | 'max'>): string {
  if (min === undefined && max === undefined) return '';
  if (max === undefined) return `, at least ${min}`;
  return min === undefined ? `, at most ${max}` : `, ${min} to ${max}`;
}
