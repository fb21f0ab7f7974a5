import { Module } from '@nestjs/common';
import { SessionsModule } from '../sessions/sessions.module.js';
import { HlsController } from './hls.controller.js';
import { HlsService } from './hls.service.js';

/** The same streams as HLS. */
@Module({ imports: [SessionsModule], controllers: [HlsController], providers: [HlsService], exports: [HlsService] })
export class HlsModule {}
