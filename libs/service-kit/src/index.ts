export * from './logging/log.js';
export * from './settings/load-settings.js';
export * from './settings/parse.js';
export * from './settings/setting.js';
export * from './http/api-metrics.js';
export * from './http/bearer.guard.js';
export * from './http/detail-exception.filter.js';
export * from './http/run-service.js';
