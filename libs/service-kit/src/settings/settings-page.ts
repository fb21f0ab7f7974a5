/** Generates the tables of settings in the documentation from the declarations of the settings. */
import type { SettingsClass } from './load-settings.js';
import { type DeclaredSetting, SETTING_TYPES, declaredSettings } from './setting.js';

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

function typeOf({ type, choices, secret, min = type === 'seconds' ? 0 : undefined, max }: DeclaredSetting): string {
  if (choices !== undefined) return choices.map((choice) => `\`${choice}\``).join(', ');
  return `${SETTING_TYPES[type].label}${secret ? ', secret' : ''}${bounds({ min, max })}`;
}

function bounds({ min, max }: Pick<DeclaredSetting, 'min' | 'max'>): string {
  if (min === undefined && max === undefined) return '';
  if (max === undefined) return `, at least ${min}`;
  return min === undefined ? `, at most ${max}` : `, ${min} to ${max}`;
}
