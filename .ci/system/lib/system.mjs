// The travel system from its parts: issuer, MCP server, servers behind HAProxy, and moto as the S3 server. Each part is a process
// that is started again on its port when it ends, as `travel-agent up` does. Gates stand between the parts, so that each
// connection can be cut off.
import { randomBytes } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Child, freePort } from "./processes.mjs";
import { Gate } from "./gate.mjs";
import { startHaproxy } from "./haproxy.mjs";
import { home, program } from "./packages.mjs";
import { note, until } from "./report.mjs";

const AUDIENCE = "travel-agent";
const AGENT = "travel-agent";
const BUCKET = "travel";
const AWS = { AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_REGION: "us-east-1" };
// Settings of the machine that would reach the programs.
const CLEARED = ["STRANDS_MODEL", "AWS_PROFILE", "AWS_SESSION_TOKEN", "OPENAI_API_KEY", "OPENAI_BASE_URL"];

export class System {
  // `model` has the variables of the model; without it, the model is the offline one. `recorder` puts the recorder of AWS calls
  // between the programs and moto. `issuer` replaces the issuer of the system.
  static async start(name, { s3 = false, servers = 2, users = 0, model = {}, recorder = false, serveArgs = [], issuer } = {}) {
    const system = new System();
    const folder = join(home, "runs", `${name}-${s3 ? "s3" : "files"}`);
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    Object.assign(system, { folder, s3, children: new Map(), gates: new Map(), restarts: 0, model, serveArgs });
    for (const each of CLEARED) delete process.env[each];
    system.secret = randomBytes(32).toString("hex");
    const endpoints = s3 ? await system.startStore(recorder) : {};
    if (issuer) await system.useIssuer(issuer.url);
    else await system.startIssuer(users);
    await system.startDesk(endpoints.mcp);
    const ports = [];
    for (let number = 1; number <= servers; number += 1) ports.push(await system.startServer(number, endpoints.agent));
    system.haproxy = await startHaproxy(folder, ports);
    system.page = await system.gate("page", system.haproxy.port);
    system.url = `http://127.0.0.1:${system.page.port}`;
    note(`${name}: ${servers} servers behind ${system.url}, sessions in ${s3 ? "S3" : "files"}`);
    return system;
  }

  async gate(name, port) {
    const gate = await Gate.open(name, port);
    this.gates.set(name, gate);
    return gate;
  }

  // Starts a part, and again whenever it ends.
  async supervise(name, command, args, env, ready) {
    const child = new Child(name, command, { args, env, log: join(this.folder, `${name}.log`) });
    this.children.set(name, child);
    await child.responds(ready);
    child.isSupervised = true;
    const watch = async () => {
      for (;;) {
        await child.ended;
        if (this.isStopping) return;
        this.restarts += 1;
        // The port of a killed process may be taken for a moment.
        await new Promise((resolve) => setTimeout(resolve, 50));
        if (this.isStopping) return;
        child.start();
      }
    };
    watch();
    child.ready = ready;
    return child;
  }

  async startStore(recorder) {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    // That of `up --s3`: unlike moto alone, it survives a kill, and two conditional writes at once don't both succeed.
    const server = ["examples/travel-agent/src/system/s3_server.py", `${port}`, join(this.folder, "s3"), BUCKET];
    await this.supervise("s3", "python3", server, {}, `${url}/${BUCKET}`);
    this.store = `${url}/${BUCKET}`;
    if (!recorder) return { agent: (await this.gate("serve-s3", port)).port, mcp: (await this.gate("mcp-s3", port)).port };
    const ports = join(this.folder, "recorder.json");
    this.calls = join(this.folder, "aws_calls.jsonl");
    const args = [".ci/deploy/aws_recorder.py", "--upstream", url, "--ports", ports, "--calls", this.calls, "--stdin", "agent", "mcp"];
    this.recorder = new Child("recorder", "python3", { args, log: join(this.folder, "recorder.log") });
    return await until("the recorder of AWS calls listens", () => JSON.parse(readFileSync(ports, "utf8")));
  }

  async startIssuer(users) {
    const port = await freePort();
    this.issuer = `http://127.0.0.1:${port}`;
    const args = ["auth", "--listen", `127.0.0.1:${port}`, "--data", join(this.folder, "auth"), "--users", `${users}`];
    await this.supervise("auth", program, args, {}, `${this.issuer}/.well-known/openid-configuration`);
    this.jwks = await this.gate("serve-auth", port);
  }

  async useIssuer(url) {
    this.issuer = url;
    this.jwks = await this.gate("serve-auth", Number(new URL(url).port));
  }

  async startDesk(endpoint) {
    const port = await freePort();
    this.mcp = `http://127.0.0.1:${port}/mcp`;
    this.database = this.s3 ? `${this.store}/desk/travel.sqlite3` : join(this.folder, "travel.sqlite3");
    const env = {
      TRAVEL_DB: this.s3 ? `s3://${BUCKET}/desk/travel.sqlite3` : this.database,
      TRAVEL_DESK_SECRET: this.secret,
      ...(this.s3 ? { TRAVEL_S3_ENDPOINT: `http://127.0.0.1:${endpoint}`, ...AWS } : {}),
    };
    await this.supervise("mcp", program, ["mcp", "--listen", `127.0.0.1:${port}`], env, `http://127.0.0.1:${port}/healthz`);
    this.desk = await this.gate("serve-mcp", port);
  }

  async startServer(number, endpoint) {
    const port = await freePort();
    const name = `serve-${number}`;
    const env = {
      TRAVEL_JWKS: `http://127.0.0.1:${this.jwks.port}/jwks.json`,
      TRAVEL_ISSUER: this.issuer,
      TRAVEL_AUDIENCE: AUDIENCE,
      TRAVEL_DESK_URL: `http://127.0.0.1:${this.desk.port}/mcp`,
      TRAVEL_DESK_SECRET: this.secret,
      TRAVEL_AUDIT: join(this.folder, `${name}.audit.jsonl`),
      ...(this.s3
        ? { TRAVEL_S3_BUCKET: BUCKET, TRAVEL_S3_ENDPOINT: `http://127.0.0.1:${endpoint}`, ...AWS }
        : { TRAVEL_SESSION_DIR: join(this.folder, "sessions") }),
      // The words of the offline model come one by one.
      TRAVEL_PACE_MS: "5",
      ...this.model,
    };
    const args = ["serve", "--listen", `127.0.0.1:${port}`, ...this.serveArgs];
    await this.supervise(name, program, args, env, `http://127.0.0.1:${port}/readyz`);
    return port;
  }

  // A user of the development issuer: alice, bob, carol, or a numbered alice or bob.
  account(name, number = "") {
    const username = `${name}${number}`;
    return { username, password: `${username}-dev`, role: { alice: "traveler", bob: "manager", carol: "auditor" }[name] };
  }

  // Claims of a service token for a user, as the agent mints them.
  serviceClaims({ subject, username, role, signIn }) {
    const full_name = signIn.claims.name;
    return { iss: AGENT, sub: AGENT, aud: "travel-mcp", user_id: subject, user_name: username, full_name, roles: [role] };
  }

  get serverNames() {
    return [...this.children.keys()].filter((it) => it.startsWith("serve-"));
  }

  get audits() {
    return this.serverNames.map((it) => join(this.folder, `${it}.audit.jsonl`));
  }

  // Kills a part and waits until it is there again.
  async kill(name) {
    const child = this.children.get(name);
    const ended = child.ended;
    child.signal("SIGKILL");
    await ended;
    await until(`${name} is started again`, () => child.isRunning);
    await child.responds(child.ready);
  }

  async ready() {
    for (const gate of this.gates.values()) gate.restore();
    for (const child of this.children.values()) {
      child.signal("SIGCONT");
      await child.responds(child.ready);
    }
  }

  async stop() {
    this.isStopping = true;
    for (const child of this.children.values()) child.signal("SIGCONT");
    const order = [...this.children.keys()].reverse();
    for (const name of order) await this.children.get(name).stop("SIGTERM", 10_000);
    await this.recorder?.stop();
    await this.haproxy.child.stop();
    for (const gate of this.gates.values()) gate.close();
    return order.filter((name) => /panicked/.test(readFileSync(this.children.get(name).log, "utf8")));
  }
}
