/** What a class of settings needs. Imports no framework, so that `npm start` checks the settings of both services in 50 ms. */
export * from './load-settings.js';
export * from './parse.js';
export * from './setting.js';
export * from './setting-remarks.js';
export * from './settings-page.js';
export * from '../http/browser-settings.js';
export * from '../logging/log-settings.js';
