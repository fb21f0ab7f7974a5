/** What a viewer asks for, and the one name under which everybody who asks for it meets. */

export type SelectorType = 'content_id' | 'infohash';

export interface RequestedContent {
  /** `value` is 40 hexadecimal digits in lower case. */
  selector: { type: SelectorType; value: string };
  /** Parameters that make it another engine session: the file, the quality, the transcoding. */
  variant: Readonly<Record<string, string>>;
  /** Further parameters that are handed on to the engine; the first viewer's count. */
  hints: Readonly<Record<string, string>>;
}

/** The key of a content under one of its names. Content id and infohash are different things, so the name's kind is part of it. */
export function contentKey(type: SelectorType, value: string, variant: RequestedContent['variant']): string {
  const parts = Object.entries(variant)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, text]) => `${name}=${encodeURIComponent(text)}`);
  return [`${type}:${value}`, ...parts].join('&');
}

/** The key of `content` as it was asked for. */
export function requestKey(content: RequestedContent): string {
  return contentKey(content.selector.type, content.selector.value, content.variant);
}
