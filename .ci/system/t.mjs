import { Child, freePort } from "./lib/processes.mjs";
import { SignIn } from "./lib/sign_in.mjs";
import { program, home } from "./lib/packages.mjs";
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const c = new Child("auth", program, { args: ["auth", "--listen", `127.0.0.1:${port}`, "--data", home + "/t-auth", "--users", "50"], log: home + "/t-auth.log" });
await c.responds(url + "/.well-known/openid-configuration");
const t = performance.now();
for (let i = 1; i <= 50; i++) { const s = await SignIn.start(url, `alice${i}`, `alice${i}-dev`); if (i == 1) { console.log(s.claims, Object.keys(s.tokens), s.expires - Date.now()); s.expires = 0; await s.token(); console.log(s.claims.jti) } }
console.log(performance.now() - t);
await c.stop();
