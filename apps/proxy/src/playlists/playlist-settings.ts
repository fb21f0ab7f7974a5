import { Setting, SettingsGroup } from '@acexy/service-kit/settings';
import { parseSources } from './sources.policy.js';

@SettingsGroup('Playlists')
export class PlaylistSettings {
  @Setting({
    name: 'ACEXY_PLAYLIST_SOURCES',
    type: 'string',
    check: parseSources,
    help: 'URLs of the playlists that `/playlist.m3u` may fetch, separated by commas; a URL that ends with a slash allows everything below it',
  })
  playlistSources?: string;
}
