/** `npm run doctor`, and `doctor` in the image: what is wrong, in order, and what to do about it. */
import { parseArgs } from 'node:util';
import { type DoctorOptions, gatherFacts } from './collect/facts.js';
import { diagnose, exitCode } from './diagnosis.plan.js';
import { report } from './report.js';

const EXIT_USAGE = 64;
const USAGE = `usage: doctor [--json] [--orchestrator URL] [--proxy URL]
  Looks at settings, machine, Docker, VPN and both services, and says in order what is wrong and what to do.
  Ends with 0 where nothing is wrong, with 1 where something is, with ${EXIT_USAGE} where it is called wrongly.`;

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
      values[name] = values[name].replace(/\/+$/, '');
    }
    return values;
  } catch (error) {
    console.error((error as Error).message);
    return null;
  }
}
