import { BearerGuard } from '@acexy/service-kit';
import { applyDecorators, UseGuards } from '@nestjs/common';
import { ApiBearerAuth, ApiUnauthorizedResponse } from '@acexy/service-kit/openapi';

/** A call, or all calls of a controller, that need the API key. */
export const Protected = (): ClassDecorator & MethodDecorator =>
  applyDecorators(UseGuards(BearerGuard), ApiBearerAuth(), ApiUnauthorizedResponse());
