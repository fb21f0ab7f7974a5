import { Module } from '@nestjs/common';
import { PlaylistsController } from './playlists.controller.js';

/** Lists of channels for players. */
@Module({ controllers: [PlaylistsController] })
export class PlaylistsModule {}
