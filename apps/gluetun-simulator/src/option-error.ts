/** An environment variable or the role file has an invalid value. The message names it. */
export class OptionError extends Error {
  readonly code = 'bad_option';
}
