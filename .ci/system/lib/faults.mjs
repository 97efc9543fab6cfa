// Random faults: every few seconds one part is killed, stopped for a while, or cut off.
import { pause } from "./random.mjs";
import { note } from "./report.mjs";

const INTERVAL = 3000;

export class Faults {
  constructor(system, random) {
    Object.assign(this, { system, random, counts: {}, running: [] });
  }

  // Each fault as a name, and a function that ends when the fault does.
  choices() {
    const { children, gates } = this.system;
    const names = [...children.keys()];
    return [
      ...names.map((name) => ["kill", name]),
      ...names.map((name) => ["stop", name]),
      ...[...gates.keys()].map((name) => ["cut", name]),
    ];
  }

  async apply([kind, name]) {
    const length = kind === "kill" ? 0 : Math.round(this.random.between(1000, 5000));
    this.counts[`${kind} ${name}`] = (this.counts[`${kind} ${name}`] ?? 0) + 1;
    note(`${kind} ${name}${length ? ` for ${length} ms` : ""}`);
    if (kind === "kill") {
      this.system.children.get(name).signal("SIGKILL");
    } else if (kind === "stop") {
      const child = this.system.children.get(name);
      const { pid } = child;
      child.signal("SIGSTOP");
      await pause(length);
      // A stopped process may have been killed, and started again with another id.
      if (child.pid === pid) child.signal("SIGCONT");
    } else {
      const gate = this.system.gates.get(name);
      gate.cut();
      await pause(length);
      gate.restore();
    }
  }

  async until(end) {
    while (Date.now() + INTERVAL < end) {
      await pause(INTERVAL);
      this.running.push(this.apply(this.random.pick(this.choices())));
    }
    await Promise.all(this.running);
    await this.system.ready();
  }

  get total() {
    return Object.values(this.counts).reduce((sum, it) => sum + it, 0);
  }
}
