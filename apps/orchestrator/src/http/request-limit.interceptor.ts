import {
  type CallHandler,
  type ExecutionContext,
  GatewayTimeoutException,
  Injectable,
  type NestInterceptor,
  SetMetadata,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type Observable, throwError, timeout } from 'rxjs';
import { HttpSettings } from './http-settings.js';

const LONG_OPERATION = 'acexy:long-operation';

/** For a call that removes or starts engines: its timeout is API_LONG_OPERATION_TIMEOUT_S instead of API_REQUEST_TIMEOUT_S. */
export const LongOperation = (): MethodDecorator => SetMetadata(LONG_OPERATION, true);

/** Answers 504 when a call takes too long. Its operation continues. */
@Injectable()
export class RequestLimitInterceptor implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly settings: HttpSettings,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const long = this.reflector.get<boolean | undefined>(LONG_OPERATION, context.getHandler()) === true;
    const limitMs = long ? this.settings.apiLongOperationTimeoutMs : this.settings.apiRequestTimeoutMs;
    return next.handle().pipe(
      timeout({
        each: limitMs,
        with: () => throwError(() => new GatewayTimeoutException(`no result within ${limitMs / 1000} s; the operation continues`)),
      }),
    );
  }
}
