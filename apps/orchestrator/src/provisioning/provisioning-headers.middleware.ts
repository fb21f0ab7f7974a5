import { Injectable, type NestMiddleware } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { ProvisioningService } from './provisioning.service.js';

/** Every answer of a provisioning call, refused, unreadable or unauthorised, says how much more may be asked for. */
@Injectable()
export class ProvisioningHeaders implements NestMiddleware {
  constructor(private readonly provisioning: ProvisioningService) {}

  use(_request: Request, response: Response, next: NextFunction): void {
    const { writeHead } = response;
    // At the last moment, so that the figures are those after the call.
    response.writeHead = ((...args: Parameters<typeof writeHead>) => {
      for (const [name, value] of Object.entries(provisioningHeaders(this.provisioning))) response.setHeader(name, value);
      return writeHead.apply(response, args);
    }) as typeof writeHead;
    next();
  }
}

export function provisioningHeaders(provisioning: ProvisioningService): Record<string, string> {
  const { max_concurrent: limit, remaining } = provisioning.status();
  const { state, retryInSeconds } = provisioning.circuit();
  return {
    'X-RateLimit-Provisioning-Limit': String(limit),
    'X-RateLimit-Provisioning-Remaining': String(remaining),
    // Half open: another try may be let through at any moment.
    ...(state !== 'closed' && { 'X-Circuit-State': state, 'Retry-After': String(Math.max(1, retryInSeconds)) }),
  };
}
