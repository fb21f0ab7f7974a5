/** The engine's command line: `--name value`, `--name=value`, `--flag` and `@file` with one option a line. */
import { FLAG_OPTIONS, OPTION_FAMILIES, VALUE_OPTIONS } from './accepted-options.js';

/** The engine does not start with these arguments. */
export class OptionError extends Error {
  readonly code = 'bad_option';
}

export interface ParsedArguments {
  /** Option name without dashes to its value; `true` for a flag that stood alone. */
  options: Map<string, string | true>;
  unrecognized: string[];
}

/** Splits a line as a shell would, quotes included. */
export function splitWords(line: string): string[] {
  return [...line.matchAll(/(?:[^\s"']|"[^"]*"|'[^']*')+/g)].map(([word]) => word.replace(/"([^"]*)"|'([^']*)'/g, '$1$2'));
}

function takesValue(name: string): boolean {
  return VALUE_OPTIONS.has(name) || OPTION_FAMILIES.some((family) => name.startsWith(family));
}

/** Reads arguments; `readFile` gives the text of an `@file`. Words that are no options (an image's `python main.py`) may only stand at the start. */
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
    else throw new OptionError(`option --${name}: expected one value`);
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
      throw new OptionError(`cannot read ${word.slice(1)}: ${(error as Error).message}`);
    }
    return text
      .split(/\r?\n/)
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
      .flatMap(splitWords);
  });
}
