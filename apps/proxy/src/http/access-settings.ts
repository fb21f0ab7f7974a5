import { Setting, type SettingFault, SettingsGroup } from '@acexy/service-kit';
import { StartSettings } from '../sessions/start/start-settings.js';
import { parseTokens } from './viewer-tokens.js';

/** Who may watch. */
@SettingsGroup('Access')
export class AccessSettings extends StartSettings {
  @Setting({
    name: 'ACEXY_TOKENS',
    type: 'string',
    secret: true,
    help: 'Tokens, with commas or on lines: only who bears one may watch, as ?token=…, as a path (/t/<token>/ace/…) or as Authorization: Bearer. Without any everybody may',
  })
  tokens?: string;

  protected accessFaults(): SettingFault[] {
    try {
      parseTokens(this.tokens ?? '');
      return [];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      return [{ name: 'ACEXY_TOKENS', value: '(hidden)', problem: error.message }];
    }
  }
}
