/** Reading JSON and text of other programs, in which any field may be missing or have another type. */

export type JsonObject = Record<string, unknown>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The object of a JSON text; null when the text is no JSON, or its value is no object. */
export function parseObject(text: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

/** A string that is not empty; null for everything else. */
export function toText(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

/** The parts of a comma-separated list, without empty ones. */
export function splitList(text: string): string[] {
  const parts = text.split(',').map((part) => part.trim());
  return parts.filter((part) => part !== '');
}

/** A URL or path without the slashes at its end. */
export function withoutSlashesAtEnd(text: string): string {
  let end = text.length;
  while (text[end - 1] === '/') end -= 1;
  return text.slice(0, end);
}

/** Control characters other than white space, and what a decoder writes for invalid bytes. */
const NOT_TEXT = /[^\P{Cc}\s]|\uFFFD/u;

/** The first characters of a text on one line, for error messages. Of bytes that are no text nothing is quoted. */
export function snippet(text: string, length = 120): string {
  const line = text.replace(/\s+/g, ' ').trim();
  const start = line.slice(0, length);
  if (NOT_TEXT.test(start)) return `${text.length} characters that are not text`;
  return line.length > length ? `${start}…` : line;
}
