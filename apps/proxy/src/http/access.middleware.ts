import { HttpStatus, UnauthorizedException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { isOpenTarget, readAccess } from './access.request.js';
import type { ViewerTokens } from './viewer-tokens.js';

/**
 * Lets in who bears one of the tokens, and takes a token's path off the request, so that what comes behind sees the paths that it knows. Everybody
 * else gets 401, and nothing is started for them.
 */
export function viewerAccess(tokens: ViewerTokens) {
  return (request: Request, response: Response, next: NextFunction): void => {
    if (!tokens.required) {
      next();
      return;
    }
    const asked = readAccess(request.url, request.headers.authorization);
    request.url = asked.target;
    if (isOpenTarget(asked.target) || tokens.accept(asked.token)) {
      next();
      return;
    }
    response.setHeader('WWW-Authenticate', 'Bearer');
    const message =
      asked.token === null
        ? 'a token is needed: ?token=…, /t/<token>/… before the path, or the header "Authorization: Bearer <token>"'
        : 'no such token';
    next(new UnauthorizedException({ statusCode: HttpStatus.UNAUTHORIZED, message }));
  };
}
