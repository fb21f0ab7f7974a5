import { Controller, Get } from '@nestjs/common';
import { type BufferUse, overview } from '../playback/stream-status.js';
import { ViewerSettings } from '../sessions/viewer-settings.js';
import { WorkerFleet } from './worker-fleet.js';

/** What all workers play. The status of one content is answered by its worker. */
@Controller('ace')
export class FrontStatusController {
  constructor(
    private readonly fleet: WorkerFleet,
    private readonly limits: ViewerSettings,
  ) {}

  @Get('status')
  async status(): Promise<object> {
    const workers = await this.fleet.status();
    const sessions = workers.flatMap((worker) => worker.sessions);
    const hls = new Map(sessions.map((session) => [session.snapshot.streamId, session.hls]));
    const total = (of: (buffers: BufferUse) => number): number =>
      workers.reduce((sum, { buffers }) => sum + (buffers === null ? 0 : of(buffers)), 0);
    return overview(
      sessions.map(({ snapshot }) => snapshot),
      (streamId) => hls.get(streamId) ?? null,
      this.limits,
      { usedBytes: total(({ usedBytes }) => usedBytes), plan: { bufferBytes: total(({ plan }) => plan.bufferBytes) } },
    );
  }
}
