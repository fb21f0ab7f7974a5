import { Controller, Get, Header, Inject } from '@nestjs/common';
import { type HealthCheckResult, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import { SessionDirectory } from '../sessions/session-directory.js';
import { ORCHESTRATOR, type OrchestratorContext } from '../selection/injection-tokens.js';

/** As `@HealthCheck()` of Terminus sets it. That decorator would also load Swagger. */
const NOT_CACHED = 'no-cache, no-store, must-revalidate';

@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicators: HealthIndicatorService,
    private readonly sessions: SessionDirectory,
    @Inject(ORCHESTRATOR) private readonly orchestrator: OrchestratorContext | null,
  ) {}

  /** For liveness probes: depends on nothing outside the process. */
  @Get()
  @Header('Cache-Control', NOT_CACHED)
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.indicators.check('proxy').up()]);
  }

  /** Ready while new viewers are accepted. An orchestrator that is unreachable or rejects our key is reported but does not make the proxy unready: streams play without it. */
  @Get('ready')
  @Header('Cache-Control', NOT_CACHED)
  ready(): Promise<HealthCheckResult> {
    const viewers = this.indicators.check('viewers');
    const { rejecting } = this.sessions;
    return this.health.check([
      () => (rejecting === null ? viewers.up() : viewers.down(rejecting)),
      () => this.indicators.check('orchestrator').up({ state: this.orchestrator?.link.state ?? 'not set' }),
    ]);
  }
}
