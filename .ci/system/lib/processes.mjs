// Child processes with a log file each. All of them end when this process does.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { dirname } from "node:path";
import { until } from "./report.mjs";

const alive = new Set();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.once(signal, () => {
    killAll();
    process.exit(130);
  });
}
process.on("exit", killAll);

function killAll() {
  for (const child of alive) {
    child.signal("SIGCONT");
    child.signal("SIGKILL");
  }
}

// Ports that were given out: the system may offer one twice, before its server listens.
const given = new Set();

export async function freePort() {
  for (;;) {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    if (given.has(port)) continue;
    given.add(port);
    return port;
  }
}

export class Child {
  constructor(name, command, { args = [], env = {}, log, input = "pipe", output }) {
    Object.assign(this, { name, command, args, env, log, input, output });
    mkdirSync(dirname(log), { recursive: true });
    this.start();
  }

  start() {
    const file = openSync(this.log, "a");
    // Programs that watch their input end with this process, since the pipe is closed then.
    this.process = spawn(this.command, this.args, {
      env: { ...process.env, ...this.env },
      stdio: [this.input, this.output ?? file, file],
    });
    closeSync(file);
    this.ended = once(this.process, "exit").then(([code, signal]) => {
      alive.delete(this);
      this.end = signal ?? code;
      return this.end;
    });
    this.end = undefined;
    alive.add(this);
  }

  get pid() {
    return this.process.pid;
  }

  get isRunning() {
    return this.end === undefined;
  }

  signal(signal) {
    if (this.isRunning) this.process.kill(signal);
  }

  async stop(signal = "SIGTERM", limit = 15_000) {
    this.signal(signal);
    const late = setTimeout(() => this.signal("SIGKILL"), limit);
    const end = await this.ended;
    clearTimeout(late);
    return end;
  }

  lastLines(count = 20) {
    return readFileSync(this.log, "utf8").split("\n").slice(-count).join("\n");
  }

  // Waits until a URL responds with a status below 500. A supervised process that has ended is started again.
  async responds(url, limit = 30_000) {
    const responds = async () => {
      if (!this.isRunning) return this.isSupervised ? false : "ended";
      const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
      await response.arrayBuffer();
      return response.status < 500;
    };
    const outcome = await until(`${this.name} responds at ${url}`, responds, limit).catch((error) => error);
    if (outcome === true) return;
    throw new Error(`${this.name}: ${outcome.message ?? `it has ended with ${this.end}`}\n${this.lastLines()}`);
  }
}
