/** What a viewer requests, and the key under which all requests for the same content share one session. */

export type SelectorType = 'content_id' | 'infohash';

export interface RequestedContent {
  /** `value` is 40 hexadecimal digits in lower case. */
  selector: { type: SelectorType; value: string };
  /** Parameters that make it another engine session: file, quality, transcoding. */
  variant: Readonly<Record<string, string>>;
  /** Other parameters that are passed to the engine; those of the first viewer count. */
  hints: Readonly<Record<string, string>>;
}

/** The content key for one name of a content. The same 40 digits mean different contents as content id and as infohash, so the key contains the type. */
export function contentKey(type: SelectorType, value: string, variant: RequestedContent['variant']): string {
  const parts = Object.entries(variant)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => `${name}=${encodeURIComponent(text)}`);
  return [`${type}:${value}`, ...parts].join('&');
}

/** The content key for the name in the request. */
export function requestKey({ selector, variant }: RequestedContent): string {
  return contentKey(selector.type, selector.value, variant);
}
