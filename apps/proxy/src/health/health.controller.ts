import { Controller, Get, Inject } from '@nestjs/common';
import { HealthCheck, type HealthCheckResult, HealthCheckService, HealthIndicatorService } from '@nestjs/terminus';
import { SessionDirectory } from '../sessions/session-directory.js';
import { ORCHESTRATOR, type OrchestratorContext } from '../selection/injection-tokens.js';

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
  @HealthCheck()
  live(): Promise<HealthCheckResult> {
    return this.health.check([() => this.indicators.check('proxy').up()]);
  }

  /** Ready while new viewers are accepted. An orchestrator that is unreachable or rejects our key is reported but does not make the proxy unready: streams play without it. */
  @Get('ready')
  @HealthCheck()
  ready(): Promise<HealthCheckResult> {
    const viewers = this.indicators.check('viewers');
    const { rejecting } = this.sessions;
    return this.health.check([
      () => (rejecting === null ? viewers.up() : viewers.down(rejecting)),
      () => this.indicators.check('orchestrator').up({ state: this.orchestrator?.link.state ?? 'not set' }),
    ]);
  }
}
