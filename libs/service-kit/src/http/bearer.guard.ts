import { type CanActivate, type ExecutionContext, HttpStatus, Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';

/** Which key opens the protected calls. Without a key they are refused, unless `open` says that nobody needs one. */
export interface AccessPolicy {
  apiKey?: string;
  open: boolean;
}

export const ACCESS_POLICY = Symbol('ACCESS_POLICY');

/** `Authorization: Bearer <API_KEY>`; compared in constant time. A wrong or missing key is 401. */
@Injectable()
export class BearerGuard implements CanActivate {
  private readonly digest: Buffer | null;

  constructor(@Inject(ACCESS_POLICY) private readonly policy: AccessPolicy) {
    this.digest = policy.apiKey ? sha256(policy.apiKey) : null;
  }

  canActivate(context: ExecutionContext): boolean {
    if (this.policy.open) return true;
    const http = context.switchToHttp();
    const given = /^Bearer +(.+)$/i.exec(http.getRequest<Request>().headers.authorization ?? '')?.[1].trim();
    // Digests have one length, so the comparison tells nothing about the key's.
    if (given !== undefined && this.digest && timingSafeEqual(sha256(given), this.digest)) return true;
    http.getResponse<Response>().setHeader('WWW-Authenticate', 'Bearer');
    throw new UnauthorizedException({ statusCode: HttpStatus.UNAUTHORIZED, message: this.refusal(given) });
  }

  private refusal(given: string | undefined): string {
    if (!this.digest) return 'this service has no API_KEY, so its protected calls are closed: set API_KEY (or AUTH=open)';
    return given === undefined ? 'missing header "Authorization: Bearer <API_KEY>"' : 'wrong API key';
  }
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
