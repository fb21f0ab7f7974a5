import { ValidationPipe } from '@nestjs/common';

/** For the calls that existing clients speak: what we do not know in a body is left out, because some of them send more. */
export const LENIENT = new ValidationPipe({ transform: true, whitelist: true });

/** For our own calls: an unknown field is a mistake. */
export const STRICT = new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true });
