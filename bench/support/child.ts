/** A measured program: a child that says where it listens and, whenever asked, what processor time it has used. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/** In the child: says what the parent needs to know, then answers with the processor time used so far. */
export function answerParent(hello: object): void {
  process.on('message', () => process.send?.({ cpu: process.cpuUsage() }));
  process.send?.(hello);
}

export interface Measured<Hello> {
  hello: Hello;
  /** Processor time of all its threads so far, in microseconds. */
  cpuMicros(): Promise<number>;
  /** Whatever else it was made to answer. */
  ask<Answer>(question: string): Promise<Answer>;
  kill(): Promise<void>;
}

/** Starts `file` with a mode as its argument and waits for what it says first. */
export async function startMeasured<Hello>(
  file: string,
  mode: string,
  env: Record<string, string>,
  flags: readonly string[] = [],
): Promise<Measured<Hello>> {
  const child = spawn(process.execPath, [...flags, file, mode], {
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const hello = await ask<Hello>(child, null);
  return {
    hello,
    async cpuMicros() {
      const { cpu } = await ask<{ cpu: NodeJS.CpuUsage }>(child, 'cpu');
      return cpu.user + cpu.system;
    },
    ask: (question) => ask(child, question),
    async kill() {
      const exited = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGKILL');
      await exited;
    },
  };
}

function ask<T>(child: ChildProcess, question: string | null): Promise<T> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`the measured server ended with ${code}`));
    child.once('exit', onExit);
    child.once('message', (answer) => {
      child.off('exit', onExit);
      resolve(answer as T);
    });
    if (question !== null) child.send(question);
  });
}
