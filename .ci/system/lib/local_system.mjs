// The travel system as `travel-agent up` starts it, behind HAProxy. `up` starts a killed process again.
import { createInterface } from "node:readline";
import { mkdirSync, rmSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Child } from "./processes.mjs";
import { startHaproxy } from "./haproxy.mjs";
import { home, program } from "./packages.mjs";
import { note, until } from "./report.mjs";

export class LocalSystem {
  static async start(name, { servers = 2 } = {}) {
    const system = new LocalSystem();
    system.folder = join(home, "runs", `${name}-up`);
    rmSync(system.folder, { recursive: true, force: true });
    mkdirSync(system.folder, { recursive: true });
    await system.launch(servers);
    system.haproxy = await startHaproxy(system.folder, system.state.pages.map((it) => Number(new URL(it).port)));
    system.url = system.haproxy.url;
    note(`${name}: \`travel-agent up --serve ${servers}\`, its servers behind ${system.url}`);
    return system;
  }

  async launch(servers) {
    const args = ["up", "--json", "--serve", `${servers}`, "--data", join(this.folder, "data")];
    // The words of the offline model come one by one.
    const env = { TRAVEL_PACE_MS: "5" };
    const began = performance.now();
    this.child = new Child("up", program, { args, env, log: join(this.folder, "up.log"), output: "pipe" });
    createInterface({ input: this.child.process.stdout }).on("line", (line) => {
      if (line.startsWith("{")) this.state = JSON.parse(line);
    });
    await until("`up` is ready", () => {
      if (!this.child.isRunning) throw new Error(this.child.lastLines());
      return this.state;
    }, 120_000);
    this.startTime = performance.now() - began;
    this.issuer = this.state.issuer;
    this.database = join(this.folder, "data/travel.sqlite3");
  }

  get serverNames() {
    return this.state.processes.map((it) => it.name).filter((it) => it.startsWith("serve-"));
  }

  get audits() {
    return this.serverNames.map((it) => join(this.folder, "data/audit", `${it}.jsonl`)).filter(existsSync);
  }

  account(username) {
    return this.state.sign_ins.find((it) => it.username === username);
  }

  // Kills a process, and waits until `up` tells that there is another one.
  async kill(name) {
    const idOf = () => this.state.processes.find((it) => it.name === name).pid;
    const old = idOf();
    process.kill(old, "SIGKILL");
    await until(`${name} is started again`, () => idOf() !== old);
  }

  // Stops all of it by a signal, as Ctrl-C does, and starts it again with the same data.
  async restart() {
    const ports = JSON.stringify(this.state.pages);
    const end = await this.child.stop("SIGINT");
    this.state = undefined;
    await this.launch(JSON.parse(ports).length);
    return { end, isSame: JSON.stringify(this.state.pages) === ports, time: this.startTime };
  }

  async stop() {
    await this.child.stop("SIGTERM", 20_000);
    await this.haproxy.child.stop();
    return /panicked/.test(readFileSync(this.child.log, "utf8")) ? ["up"] : [];
  }
}
