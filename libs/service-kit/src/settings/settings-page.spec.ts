import { describe, expect, it } from 'vitest';
import { Setting } from './setting.js';
import { SettingsGroup, withSettings } from './settings-page.js';

@SettingsGroup('Below')
class Below {
  @Setting({ name: 'WAIT_S', aliases: ['PAUSE_S'], type: 'seconds', max: 60, default: '0.5', help: 'A pause | a rest' })
  waitMs!: number;
}

@SettingsGroup('Above')
class Above {
  @Setting({ name: 'KEY', type: 'string', secret: true, help: 'A key' })
  key?: string;
}

const PLACE = 'before\n<!-- settings of it -->\nold\n<!-- end of it -->\nafter\n';

describe('the documentation of settings', () => {
  it('replaces the text between the marks by a table for each group, with name, alias, type, default and meaning', () => {
    const page = withSettings(PLACE, { it: [Above, Below] });
    expect(page.replace(/^before\n|\nafter\n$/g, '').split('\n')).toEqual([
      '<!-- settings of it -->',
      '',
      '### Above',
      '',
      '| Name | Type | Default | Meaning |',
      '|---|---|---|---|',
      '| `KEY` | text, secret | – | A key. May be read from a file instead: `KEY_FILE` |',
      '',
      '### Below',
      '',
      '| Name | Type | Default | Meaning |',
      '|---|---|---|---|',
      '| `WAIT_S`<br>alias `PAUSE_S` | seconds, 0 to 60 | `0.5` | A pause \\| a rest |',
      '',
      '<!-- end of it -->',
    ]);
    expect(withSettings(page, { it: [Above, Below] })).toBe(page);
  });

  it('rejects a page without marks, and names them', () => {
    expect(() => withSettings('', { it: [Above, Below] })).toThrow('<!-- settings of it -->');
  });
});
