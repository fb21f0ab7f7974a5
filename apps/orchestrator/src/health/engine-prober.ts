import { EngineClient, EngineError } from '@acexy/engine-client';
import { communicationErrors } from '../runtime/communication-errors.js';
import { Injectable } from '@nestjs/common';
import type { Engine } from '../engines/engine-registry.js';
import { OrchestratorSettings } from '../settings.js';

/** One question to an engine: are you well? */
@Injectable()
export class EngineProber {
  private readonly failed = communicationErrors();

  constructor(private readonly settings: OrchestratorSettings) {}

  /** Null for a valid answer, else why there was none. Aborting is no answer either. */
  async probe(engine: Engine, signal: AbortSignal, { counted = true } = {}): Promise<EngineError | null> {
    const { host, port } = engine.instance;
    try {
      await new EngineClient({ host, port }, { timeoutMs: this.settings.healthCheckTimeoutMs }).getStatus(signal);
      return null;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (counted) this.failed.inc({ source: 'engine', error_type: error.code });
      return error;
    }
  }
}
