const DATE_TIME = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?))?(Z|[+-]\d{2}:?\d{2})?$/i;

/**
 * A moment in ISO 8601, in milliseconds since the epoch; UTC where it names no zone. The "+" of a zone may have become a blank, as it does
 * in a query that nobody encoded. Null where it is none.
 */
export function parseMoment(text: string): number | null {
  const [, date, time = '00:00', zone = 'Z'] =
    DATE_TIME.exec(text.replace(/ (\d{2}:?\d{2})$/, (all, offset: string) => (text.includes('T') ? `+${offset}` : all))) ?? [];
  if (date === undefined) return null;
  const moment = Date.parse(`${date}T${time.replace(',', '.')}${zone.replace(/^([+-]\d{2})(\d{2})$/, '$1:$2').toUpperCase()}`);
  return Number.isNaN(moment) ? null : moment;
}
