import { Setting, SettingsGroup } from '@acexy/service-kit/settings';

/** These characters are the same in a header, a path and a query of a URL. */
const TOKEN = /^[A-Za-z0-9._~-]{16,256}$/;

/** The access tokens in ACEXY_TOKENS. @throws RangeError that says what is valid, without the tokens */
export function parseTokens(text = ''): string[] {
  const tokens = text.split(/[\s,]+/).filter((token) => token !== '');
  if (!tokens.every((token) => TOKEN.test(token)))
    throw new RangeError('must be tokens of 16 to 256 letters, digits and "-._~", with commas between them');
  return tokens;
}

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
