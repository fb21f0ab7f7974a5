import { SessionError } from '../sessions/errors.js';

/** The stream plays, but has no picture at which a player could begin. */
export class NoPlaylistError extends SessionError {
  readonly code = 'no_playlist';

  constructor() {
    super('the stream has no keyframe at which a segment could begin');
  }
}
