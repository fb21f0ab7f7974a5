import { BadRequestException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

/** A report, the deepest body of the API, has 3 levels. Validation is recursive, and thousands of levels would exhaust its stack. */
const MAX_LEVELS = 32;

/** Express middleware behind the body parsers: answers 400 to JSON that is nested too deeply. */
export function limitJsonDepth(request: Request, _response: Response, next: NextFunction): void {
  if (isDeeper(request.body, MAX_LEVELS))
    next(new BadRequestException(`the JSON of the body is nested too deeply: use at most ${MAX_LEVELS} levels`));
  else next();
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((child) => isDeeper(child, levels - 1));
}
