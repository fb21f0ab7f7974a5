#!/usr/bin/env node
/** `doctor` in the container of the orchestrator: checks with the settings that the service reads. */
import { existsSync } from 'node:fs';
import { becomeNode, CONFIG_FOLDER, DATA_FOLDER, KEY_FILE, readConfiguration } from './container-settings.mjs';

if (process.getuid() === 0) becomeNode();
const env = readConfiguration();
if (!env.API_KEY && !env.API_KEY_FILE && existsSync(KEY_FILE)) env.API_KEY_FILE = KEY_FILE;
process.chdir(DATA_FOLDER);
const { runDoctor } = await import('../apps/orchestrator/dist/doctor/main.js');
process.exitCode = await runDoctor(process.argv.slice(2), { env, folder: DATA_FOLDER, configFolder: CONFIG_FOLDER, place: 'container' });
