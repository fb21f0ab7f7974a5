/** What a viewer requests, and the key under which all requests for the same content share one session. */

export type SelectorType = 'content_id' | 'infohash';

export interface RequestedContent {
  /** `value` is 40 hexadecimal digits in lower case. */
  selector: { type: SelectorType; value: string };
  /** Values of VARIANTS. */
  variant: Readonly<Record<string, string>>;
  /** Values of HINTS; those of the first viewer count. */
  hints: Readonly<Record<string, string>>;
}

/** Parameters that select a content. */
export const SELECTORS: ReadonlyMap<string, SelectorType> = new Map([
  ['id', 'content_id'],
  ['infohash', 'infohash'],
]);
/** Parameters of the engine that make another session of the same content: file, quality, transcoding. */
export const VARIANTS: ReadonlySet<string> = new Set(['_idx', 'quality', 'transcode_audio', 'transcode_mp3', 'transcode_ac3']);
/** Other parameters that are passed on to the engine. */
export const HINTS: ReadonlySet<string> = new Set([
  'stream_id',
  'preferred_audio_language',
  'disable_p2p',
  'gdpr_consent',
  'product_key',
  'hlc',
  'spv',
]);

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
