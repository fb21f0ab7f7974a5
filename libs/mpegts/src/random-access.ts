/**
 * Detects random-access points: access units at which a decoder can start. Reads the start of each video access unit and ignores
 * random_access_indicator, because multiplexers set it on every audio packet and broadcasters omit it. Reading stops at the first slice; most units
 * are ruled out by their first packet.
 */
import { BitReader } from './bit-reader.js';
import { NONE, PACKET_SIZE, payloadOffset, startsUnit } from './packet.js';
import { pesOffset, ptsOffset } from './timestamps.js';

export type VideoCodec = 'h264' | 'hevc' | 'mpeg2';

/**
 * 'clean': every picture from here on can be decoded. 'gradual': the picture becomes complete during one GOP (intra refresh). 'intra': an I picture
 * with its parameter sets; the stream does not say whether later pictures refer to earlier ones, but in practice they hardly do.
 */
export type RandomAccessKind = 'clean' | 'gradual' | 'intra';

/** The verdict on the current unit: 'pending' until its first slice has been read, 'none' if it is no random-access point. */
export type UnitVerdict = RandomAccessKind | 'pending' | 'none';

/** The video codec of a stream type (ISO/IEC 13818-1, table 2-34), or null if it is no supported video codec. */
export function videoCodecOf(streamType: number): VideoCodec | null {
  switch (streamType) {
    case 0x01:
    case 0x02:
      return 'mpeg2';
    case 0x1b:
      return 'h264';
    case 0x24:
      return 'hevc';
    default:
      return null;
  }
}

/** A unit with more bytes than this before its first slice counts as no random-access point. */
const MAX_HEAD_BYTES = 64 * 1024;
const RECOVERY_POINT = 6;

type SeiPart = 'type' | 'size' | 'payload';

/** A NAL unit or a header whose first bytes are read, and how many of them are enough. */
type Head = 'slice' | 'pps' | 'picture';
const HEAD_BYTES: Readonly<Record<Head, number>> = { slice: 8, pps: 8, picture: 2 };
/** picture_coding_type of an I picture (Rec. ITU-T H.262, table 6-12). */
const MPEG2_INTRA = 1;

/** Reads the packets of one video PID in order. The caller remembers the position at which the pending unit started. */
export class RandomAccessDetector {
  #verdict: UnitVerdict = 'none';
  #bytesRead = 0;
  /** Bytes of the PES header that are still to be skipped. */
  #headerLeft = 0;
  #zeros = 0;
  #afterStartCode = false;
  #sawDelimiter = false;
  #streamHasDelimiters = false;
  #sawSps = false;
  #sawPps = false;
  /** Bits that the PPS adds in front of the slice type (HEVC). */
  #extraSliceBits = 0;
  #head: Head | null = null;
  readonly #headBytes: number[] = [];
  /** The second byte of a NAL unit header is still to be skipped (HEVC). */
  #inNalHeader = false;
  #recovery: RandomAccessKind | null = null;
  #inSei = false;
  #seiPart: SeiPart = 'type';
  #seiType = 0;
  #seiLeft = 0;
  #seiAtFirstByte = false;

  constructor(readonly codec: VideoCodec) {}

  /** Reads the packet at `at` and returns the verdict on its unit. A final verdict stays until the next unit starts. */
  push(buffer: Uint8Array, at: number): UnitVerdict {
    let from = payloadOffset(buffer, at);
    if (from < 0) return this.#verdict;
    const end = at + PACKET_SIZE;
    if (startsUnit(buffer, at)) {
      const pes = pesOffset(buffer, at);
      // A PES packet without a PTS continues the unit before it (one slice or field per PES packet): no decoder can start here.
      if (pes === NONE || ptsOffset(buffer, pes, end) === NONE) {
        this.#verdict = 'none';
        return 'none';
      }
      this.#startUnit();
      this.#headerLeft = pes + 9 + buffer[pes + 8] - from;
    }
    if (this.#verdict !== 'pending') return this.#verdict;
    const header = Math.min(this.#headerLeft, end - from);
    this.#headerLeft -= header;
    from += header;
    this.#read(buffer, from, end);
    this.#bytesRead += end - from;
    if (this.#verdict === 'pending' && this.#bytesRead > MAX_HEAD_BYTES) this.#verdict = 'none';
    return this.#verdict;
  }

  #startUnit(): void {
    this.#verdict = 'pending';
    this.#bytesRead = 0;
    this.#zeros = 0;
    this.#afterStartCode = false;
    this.#sawDelimiter = false;
    this.#sawSps = false;
    this.#sawPps = false;
    this.#recovery = null;
    this.#inSei = false;
    this.#head = null;
  }

  /** The state is kept in fields, so a start code may straddle any number of packets. */
  #read(buffer: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to && this.#verdict === 'pending'; at += 1) {
      const byte = buffer[at];
      if (this.#afterStartCode) {
        this.#afterStartCode = false;
        this.#readNalType(byte);
        this.#zeros = byte === 0 ? 1 : 0;
        continue;
      }
      if (byte === 0) {
        this.#zeros += 1;
        this.#readContent(0);
        continue;
      }
      const zeros = this.#zeros;
      this.#zeros = 0;
      if (zeros >= 2 && byte === 1) {
        this.#finishHead();
        this.#afterStartCode = true;
        this.#inSei = false;
      } else if (!(zeros >= 2 && byte === 3)) {
        this.#readContent(byte); // 00 00 03 is an emulation prevention byte and not read
      }
    }
  }

  #readContent(byte: number): void {
    if (this.#inNalHeader) this.#inNalHeader = false;
    else if (this.#inSei) this.#readSei(byte);
    else if (this.#head !== null && this.#headBytes.push(byte) === HEAD_BYTES[this.#head]) this.#finishHead();
  }

  #readNalType(byte: number): void {
    switch (this.codec) {
      case 'h264':
        this.#readH264Nal(byte & 0x1f);
        return;
      case 'hevc':
        this.#readHevcNal((byte >> 1) & 0x3f);
        return;
      case 'mpeg2':
        // Rec. ITU-T H.262, table 6-1: b3 sequence header, 00 picture, 01–af slice. Extensions, user data and b8 (group) precede both.
        if (byte === 0xb3) this.#sawSps = true;
        else if (byte === 0 && this.#sawSps) this.#startHead('picture');
        else if (byte <= 0xaf) this.#verdict = 'none';
        return;
      default: {
        const unknown: never = this.codec;
        throw new TypeError(`unknown codec: ${String(unknown)}`);
      }
    }
  }

  /** Rec. ITU-T H.264, table 7-1. */
  #readH264Nal(type: number): void {
    if (type === 9) this.#noteDelimiter();
    else if (type === 7) this.#sawSps = true;
    else if (type === 8) this.#sawPps = true;
    else if (type === 6) this.#startSei();
    else if (type === 5) this.#settle('clean');
    else if (type >= 1 && type <= 4) this.#startSlice();
  }

  /** Rec. ITU-T H.265, table 7-1: 0–31 are slices, 16–21 of them IRAP pictures (BLA, IDR, CRA). */
  #readHevcNal(type: number): void {
    this.#inNalHeader = true;
    if (type === 35) this.#noteDelimiter();
    else if (type === 33) this.#sawSps = true;
    else if (type === 34) this.#startHead('pps');
    else if (type === 39) this.#startSei();
    else if (type >= 16 && type <= 21) this.#settle('clean');
    else if (type < 32) this.#startSlice();
  }

  /** The first slice of a picture that the codec does not mark as a random-access point. */
  #startSlice(): void {
    if (this.#sawSps && this.#recovery !== null) this.#settle(this.#recovery);
    else if (this.#sawSps && this.#sawPps) this.#startHead('slice');
    else this.#settle('none');
  }

  #startHead(head: Head): void {
    this.#head = head;
    this.#headBytes.length = 0;
  }

  #finishHead(): void {
    const head = this.#head;
    if (head === null) return;
    this.#head = null;
    const reader = new BitReader(this.#headBytes);
    switch (head) {
      case 'slice':
        this.#settle(this.#isIntraSlice(reader) && reader.complete ? 'intra' : 'none');
        return;
      case 'pps':
        this.#sawPps = true;
        // Rec. ITU-T H.265, 7.3.2.3.1: two ids, two flags, num_extra_slice_header_bits.
        reader.exponential();
        reader.exponential();
        reader.bits(2);
        this.#extraSliceBits = reader.bits(3);
        return;
      case 'picture':
        // Rec. ITU-T H.262, 6.2.3: 10 bits of temporal_reference, 3 of picture_coding_type. Without I pictures the picture is refreshed in parts.
        reader.bits(10);
        this.#verdict = reader.bits(3) === MPEG2_INTRA ? 'clean' : 'gradual';
        return;
      default: {
        const unknown: never = head;
        throw new TypeError(`unknown head: ${String(unknown)}`);
      }
    }
  }

  /** Only the first slice is read: an encoder repeats the parameter sets before whole I pictures. */
  #isIntraSlice(reader: BitReader): boolean {
    if (this.codec === 'h264') {
      if (reader.exponential() !== 0) return false; // first_mb_in_slice
      const type = reader.exponential() % 5;
      return type === 2 || type === 4; // I, SI: Rec. ITU-T H.264, table 7-6
    }
    // Rec. ITU-T H.265, 7.3.6.1
    if (reader.bits(1) === 0) return false; // first_slice_segment_in_pic_flag
    reader.exponential(); // slice_pic_parameter_set_id
    reader.bits(this.#extraSliceBits);
    return reader.exponential() === 2;
  }

  #noteDelimiter(): void {
    this.#sawDelimiter = true;
    this.#streamHasDelimiters = true;
  }

  /** In a stream with access unit delimiters, a PES packet that starts without one continues the previous picture. */
  #settle(verdict: RandomAccessKind | 'none'): void {
    this.#verdict = this.#streamHasDelimiters && !this.#sawDelimiter ? 'none' : verdict;
  }

  #startSei(): void {
    this.#inSei = true;
    this.#seiPart = 'type';
    this.#seiType = 0;
  }

  /** Rec. ITU-T H.264, 7.3.2.3.1: type and size are sums of bytes, 0xff meaning that more follow. */
  #readSei(byte: number): void {
    switch (this.#seiPart) {
      case 'type':
        this.#seiType += byte;
        if (byte === 0xff) return;
        this.#seiPart = 'size';
        this.#seiLeft = 0;
        return;
      case 'size':
        this.#seiLeft += byte;
        if (byte === 0xff) return;
        this.#seiAtFirstByte = true;
        if (this.#seiLeft > 0) this.#seiPart = 'payload';
        else this.#startSei();
        return;
      case 'payload':
        // recovery_frame_cnt is ue(v) and comes first: a leading 1 bit is the value 0, so every picture is complete.
        if (this.#seiAtFirstByte && this.#seiType === RECOVERY_POINT) this.#recovery = (byte & 0x80) !== 0 ? 'clean' : 'gradual';
        this.#seiAtFirstByte = false;
        this.#seiLeft -= 1;
        if (this.#seiLeft === 0) this.#startSei();
        return;
      default: {
        const unknown: never = this.#seiPart;
        throw new TypeError(`unknown SEI part: ${String(unknown)}`);
      }
    }
  }
}
