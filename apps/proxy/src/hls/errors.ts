import { SessionError } from '../sessions/errors.js';

/** The stream plays, but has no keyframe at which a player could start. */
export class NoPlaylistError extends SessionError {
  readonly code = 'no_playlist';

  constructor() {
    super('the stream has no keyframe, so it cannot be cut into HLS segments: play it with /ace/getstream');
  }
}
