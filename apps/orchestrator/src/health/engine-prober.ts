import { EngineClient, EngineError } from '@acexy/engine-client';
import { Injectable } from '@nestjs/common';
import type { Engine } from '../engines/engine.js';
import { communicationErrors } from '../runtime/communication-errors.js';
import { HealthSettings } from './health-settings.js';

/** Sends a health check to an engine. */
@Injectable()
export class EngineProber {
  private readonly errors = communicationErrors();

  constructor(private readonly settings: HealthSettings) {}

  /** @returns null after a valid answer, otherwise the error; an abort counts as an error too */
  async probe(engine: Engine, signal: AbortSignal, { counted = true } = {}): Promise<EngineError | null> {
    const { host, port } = engine.instance;
    try {
      await new EngineClient({ host, port }, { timeoutMs: this.settings.healthCheckTimeoutMs }).getStatus(signal);
      return null;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (counted) this.errors.inc({ source: 'engine', error_type: error.code });
      return error;
    }
  }
}
