import { type CanActivate, type ExecutionContext, HttpStatus, Inject, Injectable, UnauthorizedException } from '@nestjs/common';
import type { Request, Response } from 'express';
import { SecretSet } from './secret-set.js';

/** Who may make protected calls: clients with `apiKey`, or everybody when `open`. Without both, nobody. */
export interface AccessPolicy {
  apiKey?: string;
  open: boolean;
}

export const ACCESS_POLICY = Symbol('ACCESS_POLICY');

export class Access {
  private readonly keys: SecretSet;

  constructor(private readonly policy: AccessPolicy) {
    this.keys = new SecretSet(policy.apiKey ? [policy.apiKey] : []);
  }

  /** @param authorization value of the Authorization header */
  allows(authorization: string | undefined): boolean {
    const given = keyIn(authorization);
    return this.policy.open || (given !== undefined && this.keys.has(given));
  }

  /** Error text for a request that is not allowed. */
  refusal(authorization: string | undefined): string {
    if (this.keys.isEmpty) return 'protected calls are disabled because this service has no API_KEY: set API_KEY (or AUTH=open)';
    return keyIn(authorization) === undefined ? 'missing header "Authorization: Bearer <API_KEY>"' : 'wrong API key';
  }
}

/** Requires `Authorization: Bearer <API_KEY>`. A wrong or missing key gets 401. */
@Injectable()
export class BearerGuard implements CanActivate {
  private readonly access: Access;

  constructor(@Inject(ACCESS_POLICY) policy: AccessPolicy) {
    this.access = new Access(policy);
  }

  canActivate(context: ExecutionContext): boolean {
    const http = context.switchToHttp();
    const { authorization } = http.getRequest<Request>().headers;
    if (this.access.allows(authorization)) return true;
    http.getResponse<Response>().setHeader('WWW-Authenticate', 'Bearer');
    throw new UnauthorizedException({ statusCode: HttpStatus.UNAUTHORIZED, message: this.access.refusal(authorization) });
  }
}

function keyIn(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S.*)$/i.exec(authorization ?? '')?.[1].trim();
}
