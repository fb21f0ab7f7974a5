import 'reflect-metadata';
import { Controller, Get } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { expect, it } from 'vitest';
import { ApiOkResponse, ApiOperation, ApiProperty, ApiTags, loadSwagger } from './decorators.js';

class Reply {
  @ApiProperty({ description: 'Channel name', example: 'News' })
  name!: string;
}

@ApiTags('channels')
@Controller('channels')
class ChannelsController {
  @Get()
  @ApiOperation({ summary: 'First channel' })
  @ApiOkResponse({ type: Reply })
  first(): Reply {
    return { name: 'News' };
  }
}

it('the API documentation has what the decorators say, although Swagger is loaded after them', async () => {
  const module = await Test.createTestingModule({ controllers: [ChannelsController] }).compile();
  const app = module.createNestApplication({ logger: false });
  const { DocumentBuilder, SwaggerModule } = await loadSwagger();
  await loadSwagger();
  const document = SwaggerModule.createDocument(app, new DocumentBuilder().build());
  await app.close();
  expect(document.paths['/channels'].get).toMatchObject({
    tags: ['channels'],
    summary: 'First channel',
    responses: { 200: { content: { 'application/json': { schema: { $ref: '#/components/schemas/Reply' } } } } },
  });
  expect(document.components?.schemas?.Reply).toEqual({
    type: 'object',
    properties: { name: { type: 'string', description: 'Channel name', example: 'News' } },
    required: ['name'],
  });
});
