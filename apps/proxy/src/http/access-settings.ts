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
    help: 'Access tokens, separated by commas or line breaks: a viewer must send one of them as `?token=…`, as a path (`/t/<token>/ace/…`) or as `Authorization: Bearer`. Without tokens everybody may watch',
  })
  tokens?: string;
}
