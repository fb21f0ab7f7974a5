import { describe, expect, it } from 'vitest';
import { NULL_PID, PACKET_SIZE, PAT_PID, pidOf } from './packet.js';
import { ProgramTracker } from './program-tracker.js';
import { buildPat, buildPmt, packetizeSection } from './psi.js';

const PMT_PID = 0x1000;
/** Stream types (ISO/IEC 13818-1, table 2-34). */
const [H264, AAC, ID3, PRIVATE] = [0x1b, 0x0f, 0x15, 0x06];

function tracked(...streams: [pid: number, streamType: number, descriptors?: number[]][]) {
  const tracker = new ProgramTracker();
  const pmt = {
    programNumber: 1,
    version: 0,
    pcrPid: streams[0]?.[0] ?? NULL_PID,
    descriptors: new Uint8Array(),
    streams: streams.map(([pid, streamType, descriptors = []]) => ({ pid, streamType, descriptors: Uint8Array.from(descriptors) })),
  };
  const packets = Buffer.concat([
    packetizeSection(buildPat({ programNumber: 1, pmtPid: PMT_PID, version: 0, transportStreamId: 1 }), PAT_PID),
    packetizeSection(buildPmt(pmt), PMT_PID),
  ]);
  for (let at = 0; at < packets.length; at += PACKET_SIZE) tracker.push(packets, at, pidOf(packets, at));
  return tracker.program;
}

describe('the stream with the random-access points', () => {
  it('is the video, wherever it is in the table', () => {
    expect(tracked([0x101, AAC], [0x100, H264])).toMatchObject({ accessPid: 0x100, videoCodec: 'h264' });
  });

  it('is the audio if there is no video, also after data and as DVB announces it', () => {
    expect(tracked([0x102, ID3], [0x101, AAC])).toMatchObject({ accessPid: 0x101, videoCodec: null });
    expect(tracked([0x102, PRIVATE, [0x56, 0]], [0x101, PRIVATE, [0x6a, 1, 0]])).toMatchObject({ accessPid: 0x101, videoCodec: null });
  });

  it('is the first stream if there is neither', () => {
    expect(tracked([0x102, ID3])?.accessPid).toBe(0x102);
    expect(tracked()?.accessPid).toBe(NULL_PID);
  });
});
