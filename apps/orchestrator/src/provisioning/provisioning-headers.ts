import type { NextFunction, Request, Response } from 'express';
import type { ProvisioningService } from './provisioning.service.js';

/** Middleware: every answer to a provisioning call, including 400 and 401, has the rate limit and circuit breaker headers. */
export function provisioningHeaders(provisioning: ProvisioningService) {
  return (_request: Request, response: Response, next: NextFunction): void => {
    const { writeHead } = response;
    // As late as possible, so that the values include the effect of the call.
    response.writeHead = ((...args: Parameters<typeof writeHead>) => {
      const { max_concurrent: limit, remaining } = provisioning.status();
      const { state, retryInSeconds } = provisioning.breakers.report('general');
      response.setHeader('X-RateLimit-Provisioning-Limit', String(limit));
      response.setHeader('X-RateLimit-Provisioning-Remaining', String(remaining));
      if (state !== 'closed') {
        response.setHeader('X-Circuit-State', state);
        // At least 1: half open, a trial may be permitted at any moment.
        response.setHeader('Retry-After', String(Math.max(1, retryInSeconds)));
      }
      return writeHead.apply(response, args);
    }) as typeof writeHead;
    next();
  };
}
