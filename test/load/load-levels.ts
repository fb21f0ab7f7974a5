/** Number of concurrent streams at the four load levels of the troubleshooting guide. */
export const LEVELS = { light: 10, medium: 50, high: 100, 'very-high': 120 } as const;
export type Level = keyof typeof LEVELS;
