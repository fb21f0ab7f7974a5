import { Server } from 'node:http';
import { describe, expect, it } from 'vitest';
import { channelPair, delivered } from '../../../../test/doubles/proxy/channel.fixture.js';
import { byId, makeSessions } from '../../../../test/doubles/proxy/sessions.fixture.js';
import { ShuttingDownError } from '../sessions/errors.js';
import { HandedConnections } from './handed-connections.js';
import { TO_WORKER } from './protocol.js';
import { linkToFront } from './worker-link.js';

describe('a worker that the front stops', () => {
  it('rejects new viewers from the moment it hears so, however long its shutdown takes to begin', async () => {
    const { front, worker } = channelPair();
    const { registry, clock } = makeSessions();
    const server = new Server();
    const heard: string[] = [];
    const connections = new HandedConnections(worker);
    linkToFront(worker, { server, connections, registry, hlsStatusOf: () => null, clock, stop: () => heard.push('stop') });
    front.notify(TO_WORKER.stop);
    await delivered();
    expect(heard).toEqual(['stop']);
    expect(() => registry.subscribe(byId())).toThrow(ShuttingDownError);
  });
});
