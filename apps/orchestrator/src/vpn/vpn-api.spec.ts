import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventually, startOrchestrator, type TestOrchestrator } from '../../../../test/doubles/orchestrator/test-orchestrator.js';
import { GluetunControlServer } from '../../../../test/doubles/gluetun-control-server.js';

interface Status {
  connected: boolean;
  forwarded_port: number | null;
  [key: string]: unknown;
}

describe('GET /vpn/status', () => {
  let orchestrator: TestOrchestrator;
  let control: GluetunControlServer;

  beforeEach(async () => {
    control = await GluetunControlServer.start();
  });
  afterEach(async () => {
    await orchestrator.close();
    await control.close();
  });

  const start = async (): Promise<void> => {
    orchestrator = await startOrchestrator({
      env: { GLUETUN_CONTAINER_NAME: '127.0.0.1', GLUETUN_API_PORT: String(control.port), GLUETUN_HEALTH_CHECK_INTERVAL_S: '0.1' },
    });
  };
  const status = async (): Promise<Status> => (await orchestrator.http.get('/vpn/status')).body as Status;

  it('shows the VPN as disabled if there is none', async () => {
    orchestrator = await startOrchestrator();
    expect(await status()).toMatchObject({
      enabled: false,
      status: 'disabled',
      container_name: null,
      container: null,
      health: 'unknown',
      connected: false,
      forwarded_port: null,
      forwarded_ports: [],
      last_check: null,
      last_check_at: null,
    });
  });

  it('shows the VPN of the local engines: connected, its port, and the time of the check', async () => {
    control.up(40_404);
    await start();
    expect(await eventually(status, ({ forwarded_port }) => forwarded_port !== null)).toMatchObject({
      enabled: true,
      status: 'running',
      container_name: '127.0.0.1',
      container: '127.0.0.1',
      health: 'healthy',
      connected: true,
      forwarded_port: 40_404,
      public_ip: '203.0.113.7',
      last_check: expect.stringMatching(/^\d{4}-.*Z$/) as string,
    });
  });

  it('shows all ports of a Gluetun that forwards several', async () => {
    control.up();
    control.answers.set('/v1/portforward', { ports: [51_633, 57_717] });
    await start();
    expect(await eventually(status, ({ forwarded_port }) => forwarded_port !== null)).toMatchObject({
      forwarded_port: 51_633,
      forwarded_ports: [51_633, 57_717],
    });
  });

  it('shows when the VPN goes down and comes up again, and its new port', async () => {
    control.up(40_404);
    await start();
    await eventually(status, ({ forwarded_port }) => forwarded_port === 40_404);
    control.down();
    expect(await eventually(status, ({ connected }) => !connected)).toMatchObject({ health: 'unhealthy', forwarded_port: null });
    control.up(50_505);
    expect(await eventually(status, ({ forwarded_port }) => forwarded_port !== null)).toMatchObject({
      connected: true,
      forwarded_port: 50_505,
    });
  });

  it('agrees with the other reports: no engine can be started, the service is degraded and alive', async () => {
    control.up(40_404);
    await start();
    await eventually(status, ({ connected }) => connected);
    control.down();
    await eventually(status, ({ connected }) => !connected);
    expect((await orchestrator.http.get('/orchestrator/status')).body).toMatchObject({
      vpn: { enabled: true, connected: false, health: 'unhealthy', forwarded_port: null },
      provisioning: { can_provision: false, blocked_reason_details: { code: 'vpn_disconnected', should_wait: true } },
    });
    const ready = await orchestrator.http.get('/health/ready');
    expect([ready.status, ready.body]).toMatchObject([200, { status: 'degraded' }]);
    expect((await orchestrator.http.get('/health')).status).toBe(200);
  });

  it('names the setting that helps if the control server requires a key', async () => {
    await start();
    expect((await eventually(status, ({ reason }) => String(reason).includes('GLUETUN_API_KEY'))).connected).toBe(false);
  });
});
