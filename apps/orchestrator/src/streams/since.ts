const DATE_TIME = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?))?(Z|[+-]\d{2}:?\d{2})?$/i;

/**
 * Wall time in milliseconds of an ISO 8601 text, or null; without a zone it is UTC. The "+" of a zone may be a blank, as in a query string that was
 * not encoded.
 */
export function parseIsoTime(text: string): number | null {
  const [, date, time = '00:00', zone = 'Z'] =
    DATE_TIME.exec(text.replace(/ (\d{2}:?\d{2})$/, (all, offset: string) => (text.includes('T') ? `+${offset}` : all))) ?? [];
  if (date === undefined) return null;
  const ms = Date.parse(`${date}T${time.replace(',', '.')}${zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2').toUpperCase()}`);
  return Number.isNaN(ms) ? null : ms;
}
