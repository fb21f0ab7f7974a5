/**
 * JSON as Python's json.dumps writes it by default: a space after every colon and comma, and only ASCII characters. Health checks of several
 * images search replies for `"error": null` with that space.
 */
export function pythonJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(pythonJson).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    const fields = Object.entries(value).filter(([, field]) => field !== undefined);
    return `{${fields.map(([name, field]) => `${asciiText(name)}: ${pythonJson(field)}`).join(', ')}}`;
  }
  return typeof value === 'string' ? asciiText(value) : JSON.stringify(value ?? null);
}

function asciiText(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
