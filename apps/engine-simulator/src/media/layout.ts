/**
 * The constants of the simulated broadcast. One loop of the test picture is 19.2 s: 480 frames at 25 fps, 10 closed groups of pictures and
 * 900 AAC frames at 48 kHz. All are whole numbers, so video, audio and clock continue without a break from loop to loop.
 */
import { CLOCK_90K } from '@acexy/mpegts';

export const LOOP_MS = 19_200;
/** Length of a loop in 90 kHz ticks. */
export const LOOP_TICKS = (LOOP_MS / 1000) * CLOCK_90K;

export const FRAMES_PER_LOOP = 480;
export const GROUPS_PER_LOOP = 10;
export const GROUP_MS = LOOP_MS / GROUPS_PER_LOOP;
export const AUDIO_FRAMES_PER_LOOP = 900;
export const AUDIO_FRAME_TICKS = LOOP_TICKS / AUDIO_FRAMES_PER_LOOP;

export const PMT_PID = 0x1000;
export const VIDEO_PID = 0x100;
export const AUDIO_PID = 0x101;
/** The private PID of marker packets; it is in no table, so decoders ignore it. */
export const MARKER_PID = 0x1ff0;

/** PAT and PMT every 80 ms and at every keyframe: a multiple of 16 per loop, so that their continuity counters need no rewriting. */
export const TABLES_PER_LOOP = 240;
/** A marker every 100 ms: also a multiple of 16. */
export const MARKERS_PER_LOOP = 192;
export const MARKER_INTERVAL_MS = LOOP_MS / MARKERS_PER_LOOP;

/** Time from sending a frame to its decoding, in 90 kHz ticks: 0.7 s and 0.25 s. */
export const VIDEO_LEAD_TICKS = 63_000;
export const AUDIO_LEAD_TICKS = 22_500;
/** The longest time between two clock references (DVB: 40 ms). */
export const PCR_INTERVAL_MS = 40;

/** Length of the time-shift window (livepos: live_last − live_first); a reader that is further behind skips ahead. */
export const WINDOW_MS = 1_800_000;
