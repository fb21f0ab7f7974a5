/** Processor time and memory of a process and its children, read from /proc. */
import { readFileSync } from 'node:fs';

const MILLISECONDS_PER_TICK = 10; // USER_HZ is 100 on every platform that Node runs on
const USER_TICKS = 11; // fields after the name of the program, which may contain spaces
const SYSTEM_TICKS = 12;
const ENDED_CHILDREN_TICKS = [13, 14]; // user and system

function treeOf(pid) {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  return [pid, ...children.flatMap((child) => treeOf(Number(child)))];
}

function sum(pid, read) {
  return treeOf(pid).reduce((total, each) => total + read(each), 0);
}

function ticksOf(pid, field) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[field]);
}

function kilobytesOf(pid, name) {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
}

/** Seconds in user and system mode since the start. */
export function processorSeconds(pid) {
  const ticks = (field) => sum(pid, (each) => ticksOf(each, field));
  return { user: (ticks(USER_TICKS) * MILLISECONDS_PER_TICK) / 1000, system: (ticks(SYSTEM_TICKS) * MILLISECONDS_PER_TICK) / 1000 };
}

/** Seconds in both modes of all children of this process that have ended. */
export function secondsOfEndedChildren() {
  return ENDED_CHILDREN_TICKS.reduce((total, field) => total + (ticksOf('self', field) * MILLISECONDS_PER_TICK) / 1000, 0);
}

/** Seconds in both modes and megabytes of memory of one process, without its children. */
export function usageOf(pid) {
  const ticks = ticksOf(pid, USER_TICKS) + ticksOf(pid, SYSTEM_TICKS);
  return { seconds: (ticks * MILLISECONDS_PER_TICK) / 1000, megabytes: (kilobytesOf(pid, 'VmRSS') * 1024) / 1e6 };
}

/** Megabytes of memory: now, and the most since the start. */
export function memoryMegabytes(pid) {
  const kilobytes = (name) => sum(pid, (each) => kilobytesOf(each, name));
  return { now: (kilobytes('VmRSS') * 1024) / 1e6, peak: (kilobytes('VmHWM') * 1024) / 1e6 };
}
