import { ValidationPipe } from '@nestjs/common';

/** For the calls of existing clients: removes unknown fields of a body, because some clients send them. */
export const LENIENT = new ValidationPipe({ transform: true, whitelist: true });

/** For our own calls: rejects unknown fields. */
export const STRICT = new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true });
