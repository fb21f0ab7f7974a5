/** Command and environment of an engine process. The command is a template with placeholders, split into words without a shell. Pure. */
import { type EngineSpec, RuntimeFailedError } from '../engine-runtime.js';

const PLACEHOLDERS = ['http_port', 'https_port', 'api_port', 'p2p_port', 'name', 'state_dir'] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

/** Variables that an engine process inherits. An allow-list: keys and database addresses must never reach an engine. */
const INHERITED = /^(PATH|HOME|USER|TZ|LANG|LC_[A-Z]+|TMPDIR|SIM_[A-Z0-9_]+)$/;
/** Variables that decide which program runs: a caller who may start an engine may not run other programs here. */
const NOT_BY_REQUEST = /^(PATH|HOME|NODE_[A-Z_]+|LD_[A-Z_]+|DYLD_[A-Z_]+|PYTHON[A-Z]+|BASH_ENV|ENV)$/;

/** @throws RuntimeFailedError when the spec sets a variable that a request must not set */
export function engineEnvironment(spec: EngineSpec, own: NodeJS.ProcessEnv): Record<string, string> {
  const forbidden = Object.keys(spec.env).find((name) => NOT_BY_REQUEST.test(name));
  if (forbidden) throw new RuntimeFailedError(`${forbidden} cannot be set for an engine that runs as a local process`);
  const inherited = Object.entries(own).filter((entry): entry is [string, string] => INHERITED.test(entry[0]) && entry[1] !== undefined);
  return { ...Object.fromEntries(inherited), ...spec.env };
}

/**
 * The words of ENGINE_COMMAND: separated by spaces, with 'single' and "double" quotes and backslashes as in a shell.
 * @throws RangeError that says what would be right
 */
export function parseEngineCommand(template: string): string[] {
  const words = splitWords(template);
  if (words.length === 0) throw new RangeError('must be a command');
  for (const [, name] of template.matchAll(/\{([a-z0-9_]+)\}/g)) {
    if (!isPlaceholder(name)) throw new RangeError(`must only use the placeholders ${PLACEHOLDERS.map((one) => `{${one}}`).join(' ')}`);
  }
  return words;
}

export function fillEngineCommand(words: readonly string[], spec: EngineSpec, stateDir: string): string[] {
  const values: Record<Placeholder, string> = {
    http_port: String(spec.ports.http),
    https_port: String(spec.ports.https),
    api_port: String(spec.ports.api),
    p2p_port: String(spec.ports.p2p),
    name: spec.name,
    state_dir: stateDir,
  };
  return words.map((word) => word.replace(/\{([a-z0-9_]+)\}/g, (whole, name: string) => (isPlaceholder(name) ? values[name] : whole)));
}

function isPlaceholder(name: string): name is Placeholder {
  return (PLACEHOLDERS as readonly string[]).includes(name);
}

function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote: '"' | "'" | null = null;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (quote === null && /\s/.test(char)) {
      if (word !== null) words.push(word);
      word = null;
    } else if (char === quote) {
      quote = null;
    } else if (quote === null && (char === '"' || char === "'")) {
      quote = char;
      word ??= '';
    } else if (char === '\\' && quote !== "'" && at + 1 < text.length) {
      at += 1;
      word = (word ?? '') + text[at];
    } else {
      word = (word ?? '') + char;
    }
  }
  if (quote !== null) throw new RangeError(`must close its ${quote} quote`);
  if (word !== null) words.push(word);
  return words;
}
