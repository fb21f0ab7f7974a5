import { BadRequestException } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';

/** A report, the deepest body of the API, has 3 levels. Validation is recursive, and thousands of levels would exhaust its stack. */
const MAX_LEVELS = 32;

/** Express middleware behind the body parsers: answers 400 to JSON that is nested too deeply. */
export function limitJsonDepth(request: Request, _response: Response, next: NextFunction): void {
  let level = childrenOf([request.body]);
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_LEVELS) {
      next(new BadRequestException(`the JSON of the body is nested too deeply: use at most ${MAX_LEVELS} levels`));
      return;
    }
    level = childrenOf(level.flatMap((each) => Object.values(each)));
  }
  next();
}

/** The objects and lists among `values`. */
function childrenOf(values: readonly unknown[]): object[] {
  return values.filter((value) => typeof value === 'object' && value !== null);
}
