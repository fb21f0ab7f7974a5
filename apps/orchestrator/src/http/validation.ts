import { type ValidationError, ValidationPipe } from '@nestjs/common';
import { validateSync, type ValidatorOptions } from 'class-validator';

/** No validator of the contracts waits for anything, so no field needs a promise. */
class SynchronousPipe extends ValidationPipe {
  protected override validate(value: object, options?: ValidatorOptions): ValidationError[] {
    return validateSync(value, options);
  }
}

/** Removes unknown fields: existing clients send some, and so does a proxy of a later version during a rolling update. */
export const LENIENT = new SynchronousPipe({ transform: true, whitelist: true });
