import { ApiProperty } from '@nestjs/swagger';

export class PortBinding {
  @ApiProperty()
  HostIp!: string;

  @ApiProperty()
  HostPort!: string;
}

/** `GET /containers/{id}`: what Docker (or the process runtime) says of one container we manage. */
export class ContainerInfo {
  @ApiProperty()
  id!: string;

  @ApiProperty()
  name!: string;

  @ApiProperty()
  image!: string;

  @ApiProperty({ format: 'date-time' })
  created!: string;

  @ApiProperty({ example: 'running' })
  status!: string;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  labels!: Record<string, string>;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'array', items: { $ref: '#/components/schemas/PortBinding' }, nullable: true },
    example: { '40117/tcp': [{ HostIp: '0.0.0.0', HostPort: '19000' }] },
  })
  ports!: Record<string, PortBinding[] | null>;
}
