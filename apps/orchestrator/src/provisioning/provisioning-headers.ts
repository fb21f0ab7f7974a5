import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { finalize, type Observable } from 'rxjs';
import { ProvisioningService } from './provisioning.service.js';

/**
 * Sets the rate limit and circuit breaker headers of every answer to a provisioning call: as middleware, so that 400 and 401 have them, and again
 * as interceptor, so that the values include the effect of the call.
 */
@Injectable()
export class ProvisioningHeaders implements NestMiddleware, NestInterceptor {
  constructor(private readonly provisioning: ProvisioningService) {}

  use(_request: Request, response: Response, next: NextFunction): void {
    this.set(response);
    next();
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const response = context.switchToHttp().getResponse<Response>();
    return next.handle().pipe(finalize(() => this.set(response)));
  }

  private set(response: Response): void {
    const { max_concurrent: limit, remaining } = this.provisioning.status();
    const { state, retryInSeconds } = this.provisioning.breakers.report('general');
    response.setHeader('X-RateLimit-Provisioning-Limit', String(limit));
    response.setHeader('X-RateLimit-Provisioning-Remaining', String(remaining));
    if (state === 'closed') {
      response.removeHeader('X-Circuit-State');
      response.removeHeader('Retry-After');
      return;
    }
    response.setHeader('X-Circuit-State', state);
    // At least 1: half open, a trial may be permitted at any moment.
    response.setHeader('Retry-After', String(Math.max(1, retryInSeconds)));
  }
}
