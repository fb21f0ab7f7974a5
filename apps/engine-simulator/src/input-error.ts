/** An option, a variable, the catalog or a control request is invalid. The message says what is wrong and what would be right. */
export class InputError extends Error {
  readonly code = 'bad_input';
}
