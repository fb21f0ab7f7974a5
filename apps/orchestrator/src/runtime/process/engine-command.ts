/** The command of an engine: a template with placeholders, split into words as a shell would, without one. Pure. */
import type { EngineSpec } from '../engine-runtime.js';

const PLACEHOLDERS = ['http_port', 'https_port', 'api_port', 'p2p_port', 'name', 'state_dir'] as const;
type Placeholder = (typeof PLACEHOLDERS)[number];

/**
 * The words of ENGINE_COMMAND: parted by blanks, with 'single' and "double" quotes and backslashes as in a shell.
 * @throws RangeError that says what would be right
 */
export function parseEngineCommand(template: string): string[] {
  const words = splitWords(template);
  if (words.length === 0) throw new RangeError('must be a command');
  for (const [, name] of template.matchAll(/\{([a-z0-9_]+)\}/g)) {
    if (!isPlaceholder(name))
      throw new RangeError(`must use no other placeholders than ${PLACEHOLDERS.map((one) => `{${one}}`).join(' ')}`);
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
