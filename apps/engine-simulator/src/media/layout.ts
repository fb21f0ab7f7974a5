/**
 * The fixed figures of the simulated broadcast. One loop of the test picture is 19.2 s: 480 frames at 25 fps, 10 closed groups of pictures
 * and 900 AAC frames at 48 kHz, all whole numbers, so loops join without a seam in picture, sound or clock.
 */
import { CLOCK_90K } from '@acexy/mpegts';

export const LOOP_MS = 19_200;
/** Length of a loop in ticks of 90 kHz. */
export const LOOP_TICKS = (LOOP_MS / 1000) * CLOCK_90K;

export const FRAMES_PER_LOOP = 480;
export const GROUPS_PER_LOOP = 10;
export const GROUP_MS = LOOP_MS / GROUPS_PER_LOOP;
export const AUDIO_FRAMES_PER_LOOP = 900;
export const AUDIO_FRAME_TICKS = LOOP_TICKS / AUDIO_FRAMES_PER_LOOP;

export const PMT_PID = 0x1000;
export const VIDEO_PID = 0x100;
export const AUDIO_PID = 0x101;
/** The private PID of the marker packets; no table names it, so decoders ignore it. */
export const MARKER_PID = 0x1ff0;

/** PAT and PMT every 80 ms: a multiple of 16 in a loop, so that their metrics need no rewriting, and one at every keyframe. */
export const TABLES_PER_LOOP = 240;
/** A marker every 100 ms; a multiple of 16, too. */
export const MARKERS_PER_LOOP = 192;
export const MARKER_INTERVAL_MS = LOOP_MS / MARKERS_PER_LOOP;

/** How long before its decoding time a frame is sent, in ticks of 90 kHz: 0.7 s and 0.25 s. */
export const VIDEO_LEAD_TICKS = 63_000;
export const AUDIO_LEAD_TICKS = 22_500;
/** The longest way between two clock references that ISO/IEC 13818-1 players are used to (DVB: 40 ms). */
export const PCR_INTERVAL_MS = 40;

/** The engine keeps this much of the past (livepos: live_last − live_first); a reader further behind is moved up. */
export const WINDOW_MS = 1_800_000;
