/** Exits with 0 if the service of this container answers: `health-check.mjs orchestrator|proxy`. */
import { get } from 'node:http';

const port =
  process.argv[2] === 'proxy'
    ? (process.env.ACEXY_LISTEN_ADDR ?? process.env.ACEXY_ADDR ?? ':8080').replace(/^.*:/, '')
    : (process.env.APP_PORT ?? '8000');

get({ host: '127.0.0.1', port, path: '/health', timeout: 4000 }, (response) => {
  response.resume();
  process.exitCode = response.statusCode === 200 ? 0 : 1;
  if (process.exitCode) console.error(`/health answered ${response.statusCode}`);
})
  .on('timeout', function () {
    this.destroy(new Error('/health did not answer within 4 s'));
  })
  .on('error', (error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
