/** Parses the engine's command line: `--name value`, `--name=value`, `--flag`, and `@file` with one option per line. */
import { InputError } from '../input-error.js';
import { FLAG_OPTIONS, VALUE_OPTIONS, VALUE_OPTION_PREFIXES } from './accepted-options.js';

export interface ParsedArguments {
  /** Values by option name without dashes; `true` for a flag without a value. */
  options: Map<string, string | true>;
  /** Options whose value stands in an `@file`. Such a value is not logged: the caller may name any file. */
  fromFiles: Set<string>;
  /** For the log: the option, or the file that has one. */
  unrecognized: string[];
}

interface Word {
  text: string;
  /** The file it was read from; null: an argument or a variable. */
  file: string | null;
}

/** Splits a line into words and removes quotes, as a shell does. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}

function takesValue(name: string): boolean {
  return VALUE_OPTIONS.has(name) || VALUE_OPTION_PREFIXES.some((prefix) => name.startsWith(prefix));
}

/** Parses arguments; `readFile` returns the text of an `@file`. Words before the first option (`python main.py` of an image) are ignored. */
export function parseArguments(args: readonly string[], readFile: (path: string) => string): ParsedArguments {
  const result: ParsedArguments = { options: new Map(), fromFiles: new Set(), unrecognized: [] };
  const words = expandFiles(args, readFile);
  const startsWith = (dashes: string): boolean => at < words.length && words[at].text.startsWith(dashes);
  const set = (name: string, value: string | true, file: string | null): void => {
    result.options.set(name, value);
    if (file !== null) result.fromFiles.add(name);
  };
  let at = 0;
  while (at < words.length && !startsWith('-')) at += 1;
  while (at < words.length) {
    const { text, file } = words[at++];
    const [, name, given] = /^--([a-z0-9-]+)(?:=(.*))?$/s.exec(text) ?? [];
    if (name === undefined || !(takesValue(name) || FLAG_OPTIONS.has(name))) {
      result.unrecognized.push(file === null ? text : `an option in ${file}`);
      while (at < words.length && !startsWith('-')) at += 1;
      continue;
    }
    // Some images write `--upnp-enabled 0`.
    const takesNext = at < words.length && !startsWith(takesValue(name) ? '--' : '-');
    if (given !== undefined) set(name, given, file);
    else if (takesNext) {
      const value = words[at++];
      set(name, value.text, value.file);
    } else if (!takesValue(name)) set(name, true, file);
    else throw new InputError(`option --${name} has no value: write --${name}=VALUE`);
  }
  return result;
}

function expandFiles(args: readonly string[], readFile: (path: string) => string): Word[] {
  return args.flatMap((word): Word[] => {
    if (!word.startsWith('@')) return [{ text: word, file: null }];
    const file = word.slice(1);
    let text: string;
    try {
      text = readFile(file);
    } catch (error) {
      throw new InputError(`cannot read ${file}: ${(error as Error).message}`);
    }
    return text
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
      .flatMap((line) => splitWords(line).map((each) => ({ text: each, file })));
  });
}
