/** Parses the engine's command line: `--name value`, `--name=value`, `--flag`, and `@file` with one option per line. */
import { InputError } from '../input-error.js';
import { FLAG_OPTIONS, VALUE_OPTIONS, VALUE_OPTION_PREFIXES } from './accepted-options.js';

export interface ParsedArguments {
  /** Values by option name without dashes; `true` for a flag without a value. */
  options: Map<string, string | true>;
  unrecognized: string[];
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
  const result: ParsedArguments = { options: new Map(), unrecognized: [] };
  const words = expandFiles(args, readFile);
  let at = 0;
  while (at < words.length && !words[at].startsWith('-')) at += 1;
  while (at < words.length) {
    const word = words[at++];
    const [, name, given] = /^--([a-z0-9-]+)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined || !(takesValue(name) || FLAG_OPTIONS.has(name))) {
      result.unrecognized.push(word);
      while (at < words.length && !words[at].startsWith('-')) at += 1;
      continue;
    }
    if (given !== undefined) result.options.set(name, given);
    else if (!takesValue(name)) {
      // Some images write `--upnp-enabled 0`.
      result.options.set(name, at < words.length && !words[at].startsWith('-') ? words[at++] : true);
    } else if (at < words.length && !words[at].startsWith('--')) result.options.set(name, words[at++]);
    else throw new InputError(`option --${name} has no value: write --${name}=VALUE`);
  }
  return result;
}

function expandFiles(args: readonly string[], readFile: (path: string) => string): string[] {
  return args.flatMap((word) => {
    if (!word.startsWith('@')) return [word];
    let text: string;
    try {
      text = readFile(word.slice(1));
    } catch (error) {
      throw new InputError(`cannot read ${word.slice(1)}: ${(error as Error).message}`);
    }
    return text
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
      .flatMap(splitWords);
  });
}
