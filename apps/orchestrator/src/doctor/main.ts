/** `npm run doctor`, and `doctor` in the image: reports what is wrong, in the order to fix it, and what to do. */
import { parseArgs } from 'node:util';
import { withoutSlashesAtEnd } from '@acexy/service-kit/primitives';
import { type DoctorOptions, gatherFacts } from './collect/facts.js';
import { diagnose, exitCode } from './diagnosis.plan.js';
import { report } from './report.js';

const EXIT_USAGE = 64;
const USAGE = `usage: doctor [--json] [--orchestrator URL] [--proxy URL]
  Checks settings, machine, Docker, VPN and both services, and reports what is wrong and what to do.
  Exit code: 0 if nothing is wrong, 1 if something is wrong, ${EXIT_USAGE} for wrong options.`;

/** @returns the exit code */
export async function runDoctor(args: readonly string[], options: DoctorOptions): Promise<number> {
  const given = parse(args);
  if (given === null || given.help) {
    (given === null ? console.error : console.log)(USAGE);
    return given === null ? EXIT_USAGE : 0;
  }
  const facts = await gatherFacts({ ...options, orchestratorUrl: given.orchestrator, proxyUrl: given.proxy });
  const diagnoses = diagnose(facts);
  console.log(given.json ? JSON.stringify(diagnoses, null, 2) : report(diagnoses));
  return exitCode(diagnoses);
}

function parse(args: readonly string[]): { json?: boolean; help?: boolean; orchestrator?: string; proxy?: string } | null {
  const options = {
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
    orchestrator: { type: 'string' },
    proxy: { type: 'string' },
  } as const;
  try {
    const { values } = parseArgs({ args: [...args], options });
    for (const name of ['orchestrator', 'proxy'] as const) {
      if (values[name] === undefined) continue;
      if (!/^https?:\/\//.test(values[name])) throw new Error(`--${name} must be a URL such as http://localhost:8000, not ${values[name]}`);
      values[name] = withoutSlashesAtEnd(values[name]);
    }
    return values;
  } catch (error) {
    console.error((error as Error).message);
    return null;
  }
}
