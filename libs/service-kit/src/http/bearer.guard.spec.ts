import { describe, expect, it } from 'vitest';
import { Access } from './bearer.guard.js';

describe('a protected call', () => {
  it('needs the API key, whatever the case of the scheme', () => {
    const access = new Access({ apiKey: 'secret-key', open: false });
    expect(['Bearer secret-key', 'bearer  secret-key '].map((header) => access.allows(header))).toEqual([true, true]);
    for (const header of [undefined, '', 'Bearer', 'Bearer true', 'Bearer secret-keys', 'Basic secret-key', 'secret-key']) {
      expect([header, access.allows(header)]).toEqual([header, false]);
    }
  });

  it('is allowed to nobody without a key, and to everybody with AUTH=open', () => {
    expect(new Access({ open: false }).allows('Bearer anything')).toBe(false);
    expect(new Access({ apiKey: '', open: false }).allows('Bearer ')).toBe(false);
    expect(new Access({ apiKey: 'secret-key', open: true }).allows(undefined)).toBe(true);
  });

  it('is refused with what is wrong', () => {
    const access = new Access({ apiKey: 'secret-key', open: false });
    expect(access.refusal(undefined)).toBe('missing header "Authorization: Bearer <API_KEY>"');
    expect(access.refusal('Bearer other')).toBe('wrong API key');
    expect(new Access({ open: false }).refusal('Bearer other')).toContain('set API_KEY');
  });
});
