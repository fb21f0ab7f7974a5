export type { OpenAPIObject } from '@nestjs/swagger';
export * from './api-docs.js';
export * from './decorators.js';
