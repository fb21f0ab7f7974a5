import { Module } from '@nestjs/common';
import { HlsModule } from '../hls/hls.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { PlaybackController } from './playback.controller.js';
import { ViewerService } from './viewer.service.js';

/** The HTTP interface for players. */
@Module({ imports: [SessionsModule, HlsModule], controllers: [PlaybackController], providers: [ViewerService], exports: [ViewerService] })
export class PlaybackModule {}
