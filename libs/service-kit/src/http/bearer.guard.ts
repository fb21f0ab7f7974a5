import { type CanActivate, type ExecutionContext, HttpStatus, Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request, Response } from 'express';

/** Which key opens the protected calls. Without a key they are refused, unless `open` says that nobody needs one. */
export interface AccessPolicy {
  apiKey?: string;
  open: boolean;
}

export const ACCESS_POLICY = Symbol('ACCESS_POLICY');

/** Tells who bears the key, in constant time. */
export class Access {
  private readonly digest: Buffer | null;

  constructor(private readonly policy: AccessPolicy) {
    this.digest = policy.apiKey ? sha256(policy.apiKey) : null;
  }

  /** @param authorization the header as it came */
  opensWith(authorization: string | undefined): boolean {
    if (this.policy.open) return true;
    const given = keyIn(authorization);
    // Digests have one length, so the comparison tells nothing about the key's.
    return given !== undefined && this.digest !== null && timingSafeEqual(sha256(given), this.digest);
  }

  /** What to say to one whom it does not open. */
  refusal(authorization: string | undefined): string {
    if (!this.digest) return 'this service has no API_KEY, so its protected calls are closed: set API_KEY (or AUTH=open)';
    return keyIn(authorization) === undefined ? 'missing header "Authorization: Bearer <API_KEY>"' : 'wrong API key';
  }
}

/** `Authorization: Bearer <API_KEY>`. A wrong or missing key is 401. */
@Injectable()
export class BearerGuard implements CanActivate {
  private readonly access: Access;

  constructor(@Inject(ACCESS_POLICY) policy: AccessPolicy) {
    this.access = new Access(policy);
  }

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const { authorization } = http.getRequest<Request>().headers;
    if (this.access.opensWith(authorization)) return true;
    http.getResponse<Response>().setHeader('WWW-Authenticate', 'Bearer');
    throw new UnauthorizedException({ statusCode: HttpStatus.UNAUTHORIZED, message: this.access.refusal(authorization) });
  }
}

function keyIn(authorization: string | undefined): string | undefined {
  return /^Bearer +(.+)$/i.exec(authorization ?? '')?.[1].trim();
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
