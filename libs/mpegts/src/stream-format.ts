/** Tells what an elementary stream carries. DVB announces AC-3, DTS, teletext and subtitles as private data with a descriptor. */
import type { ElementaryStream } from './psi.js';

/** PES private data (ISO/IEC 13818-1, table 2-34). */
const PRIVATE_DATA = 0x06;
const AUDIO_TYPES: ReadonlySet<number> = new Set([0x03, 0x04, 0x0f, 0x11, 0x81, 0x87]);
/** ETSI EN 300 468, tables 12 and annex D: AC-3, E-AC-3, DTS, AAC. */
const AUDIO_TAGS: ReadonlySet<number> = new Set([0x6a, 0x7a, 0x7b, 0x7c]);
/** Teletext, subtitles. */
const TEXT_TAGS: ReadonlySet<number> = new Set([0x56, 0x59]);
const REGISTRATION = 0x05;
const LANGUAGE = 0x0a;
/** Format identifiers registered with the SMPTE RA. */
const AUDIO_REGISTRATIONS: ReadonlySet<string> = new Set(['AC-3', 'EAC3', 'DTS1', 'DTS2', 'DTS3', 'Opus', 'BSSD']);

export function isAudio(stream: ElementaryStream): boolean {
  if (stream.streamType !== PRIVATE_DATA) return AUDIO_TYPES.has(stream.streamType);
  return privateFormat(stream).startsWith('audio');
}

/** Streams of the same format can replace each other: the stream type, for private data with its descriptor. */
export function formatOf(stream: ElementaryStream): string {
  return stream.streamType === PRIVATE_DATA ? `6 ${privateFormat(stream)}` : String(stream.streamType);
}

/** ISO 639-2 code of the first language; empty if it has none. */
export function languageOf(stream: ElementaryStream): string {
  return find(stream, (tag) => tag === LANGUAGE)?.text.slice(0, 3) ?? '';
}

function privateFormat(stream: ElementaryStream): string {
  const audio = find(stream, (tag, text) => AUDIO_TAGS.has(tag) || (tag === REGISTRATION && AUDIO_REGISTRATIONS.has(text.slice(0, 4))));
  if (audio !== null) return `audio ${audio.tag === REGISTRATION ? audio.text.slice(0, 4) : audio.tag}`;
  return `data ${find(stream, (tag) => TEXT_TAGS.has(tag))?.tag ?? ''}`;
}

function find({ descriptors }: ElementaryStream, wanted: (tag: number, text: string) => boolean): { tag: number; text: string } | null {
  for (let at = 0; at + 2 <= descriptors.length; at += 2 + descriptors[at + 1]) {
    const tag = descriptors[at];
    const text = String.fromCharCode(...descriptors.subarray(at + 2, at + 2 + descriptors[at + 1]));
    if (wanted(tag, text)) return { tag, text };
  }
  return null;
}
