import { Setting, SettingsGroup } from '@acexy/service-kit';
import { parseTokens } from './viewer-tokens.js';

/** Who may watch. */
@SettingsGroup('Access')
export class AccessSettings {
  @Setting({
    name: 'ACEXY_TOKENS',
    type: 'string',
    secret: true,
    check: parseTokens,
    help: 'Access tokens, separated by commas or line breaks; without tokens everybody may watch. A viewer sends one as `?token=…`, in the path (`/t/<token>/ace/…`) or as `Authorization: Bearer`',
  })
  tokens?: string;
}
