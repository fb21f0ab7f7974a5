import { ApiProperty } from '@acexy/service-kit/openapi';

export class PortBinding {
  @ApiProperty({ example: '0.0.0.0' })
  HostIp!: string;

  @ApiProperty({ example: '19000' })
  HostPort!: string;
}

/** `GET /containers/{id}`: one container that the orchestrator manages, as Docker (or the process runtime) describes it. */
export class ContainerInfo {
  @ApiProperty({ example: '3f1c9a7be2d4' })
  id!: string;

  @ApiProperty({ example: 'acestream-5c1e9f04' })
  name!: string;

  @ApiProperty({ example: 'acestream/engine:latest' })
  image!: string;

  @ApiProperty({ format: 'date-time' })
  created!: string;

  @ApiProperty({ example: 'running' })
  status!: string;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' }, example: { 'acestream.http_port': '19000' } })
  labels!: Record<string, string>;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'array', items: { $ref: '#/components/schemas/PortBinding' }, nullable: true },
    example: { '40117/tcp': [{ HostIp: '0.0.0.0', HostPort: '19000' }] },
  })
  ports!: Record<string, PortBinding[] | null>;
}
