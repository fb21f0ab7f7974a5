import { ValidationPipe } from '@nestjs/common';

/** Removes unknown fields: existing clients send some, and so does a proxy of a later version during a rolling update. */
export const LENIENT = new ValidationPipe({ transform: true, whitelist: true });
