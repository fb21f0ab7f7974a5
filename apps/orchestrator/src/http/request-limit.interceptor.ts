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
import { OrchestratorSettings } from '../settings.js';

const LONG_OPERATION = 'acexy:long-operation';

/** The call removes or starts engines: API_LONG_OPERATION_TIMEOUT_S instead of API_REQUEST_TIMEOUT_S. */
export const LongOperation = (): MethodDecorator => SetMetadata(LONG_OPERATION, true);

/** No call stays without an answer: 504 at its limit. What the call began is carried through all the same. */
@Injectable()
export class RequestLimitInterceptor implements NestInterceptor {
  constructor(
    private readonly reflector: Reflector,
    private readonly settings: OrchestratorSettings,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const long = this.reflector.get<boolean | undefined>(LONG_OPERATION, context.getHandler()) === true;
    const limitMs = long ? this.settings.apiLongOperationTimeoutMs : this.settings.apiRequestTimeoutMs;
    return next.handle().pipe(
      timeout({
        each: limitMs,
        with: () => throwError(() => new GatewayTimeoutException(`no answer within ${limitMs / 1000} s; the operation goes on`)),
      }),
    );
  }
}
