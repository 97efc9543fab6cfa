// HAProxy as the load balancer in front of the servers: round robin, so that requests of one page reach all of them.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Child, freePort } from "./processes.mjs";

export async function startHaproxy(folder, ports) {
  const port = await freePort();
  const config = join(folder, "haproxy.cfg");
  const servers = ports.map((each, index) => `  server serve-${index + 1} 127.0.0.1:${each} check`);
  writeFileSync(
    config,
    `global
  maxconn 8192
defaults
  mode http
  timeout connect 2s
  timeout client 15m
  timeout server 15m
  timeout check 1s
  option redispatch 1
  retries 3
  retry-on conn-failure
frontend page
  bind 127.0.0.1:${port}
  default_backend servers
backend servers
  balance roundrobin
  option httpchk GET /readyz
  default-server inter 250ms fall 2 rise 1
${servers.join("\n")}
`,
  );
  const child = new Child("haproxy", "haproxy", { args: ["-db", "-f", config], log: join(folder, "haproxy.log") });
  const url = `http://127.0.0.1:${port}`;
  await child.responds(`${url}/healthz`);
  return { child, url, port };
}
