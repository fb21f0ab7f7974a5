import { HttpStatus, UnauthorizedException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { SecretSet } from '@acexy/service-kit';
import { isOpenTarget, readAccess } from './access.request.js';

/**
 * Requires one of the access tokens, if there are any: other requests get 401 and start nothing. Removes a token prefix from the path so that routes
 * match.
 */
export function viewerAccess(tokens: SecretSet) {
  return (request: Request, response: Response, next: NextFunction): void => {
    if (tokens.isEmpty) {
      next();
      return;
    }
    const asked = readAccess(request.url, request.headers.authorization);
    request.url = asked.target;
    if (isOpenTarget(asked.target) || (asked.token !== null && tokens.has(asked.token))) {
      next();
      return;
    }
    response.setHeader('WWW-Authenticate', 'Bearer');
    const message =
      asked.token === null
        ? 'an access token is required: send ?token=…, the path prefix /t/<token>/…, or the header "Authorization: Bearer <token>"'
        : 'the access token is not valid: use one of ACEXY_TOKENS';
    next(new UnauthorizedException({ statusCode: HttpStatus.UNAUTHORIZED, message }));
  };
}
