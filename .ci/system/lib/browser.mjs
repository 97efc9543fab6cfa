// Chromium with a watcher in each page: violations of the Content-Security-Policy, console errors, dialogs and foreign requests.
import { chromium, axeSource } from "./packages.mjs";
import { check } from "./report.mjs";

export async function launch() {
  // Chromium's own sandbox doesn't start as root, as in CI.
  const sandbox = process.getuid() === 0 ? ["--no-sandbox"] : [];
  return await chromium.launch({ executablePath: "/usr/bin/chromium", args: [...sandbox, "--disable-dev-shm-usage"] });
}

export const PHONE = { width: 360, height: 740 };
const DESKTOP = { width: 1280, height: 800 };

// Messages that Chromium logs for statuses that the page handles, such as 401, 409 and a server that restarts.
const NETWORK = /Failed to load resource|net::ERR_/;

// A browser context of its own for each user, as a private window.
export async function openContext(browser, { allowed = [], ...options } = {}) {
  const context = await browser.newContext({ viewport: DESKTOP, reducedMotion: "no-preference", ...options });
  context.setDefaultTimeout(20_000);
  const watch = { violations: [], errors: [], dialogs: [], foreign: [] };
  await context.exposeBinding("reportViolation", (_source, text) => void watch.violations.push(text));
  // The policy of the page forbids inline scripts: axe comes by the debugger, too.
  await context.addInitScript({ content: axeSource });
  await context.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => {
      globalThis.reportViolation(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber} ${event.sample}`);
    });
  });
  context.on("page", (page) => {
    page.on("dialog", (dialog) => {
      watch.dialogs.push(`${dialog.type()} ${dialog.message()}`);
      dialog.dismiss().catch(() => {});
    });
    page.on("pageerror", (error) => void watch.errors.push(error.stack ?? String(error)));
    page.on("console", (message) => {
      if (message.type() === "error" && !NETWORK.test(message.text())) watch.errors.push(message.text());
    });
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol.startsWith("http") && !allowed.includes(origin)) watch.foreign.push(request.url());
    });
  });
  return { context, watch };
}

// Lets the page take attachments, whatever the model of the system takes.
export async function allowAttachments(context) {
  await context.route("**/ui/settings.json", async (route) => {
    const response = await route.fetch();
    const settings = await response.json();
    await route.fulfill({ response, json: { ...settings, attachments: ["images", "pdf"] } });
  });
}

export function checkWatch(name, watch) {
  check(`${name}: no violation of the Content-Security-Policy`, watch.violations.length === 0, watch.violations);
  check(`${name}: no error in the console`, watch.errors.length === 0, watch.errors);
  check(`${name}: no dialog`, watch.dialogs.length === 0, watch.dialogs);
  check(`${name}: no request to another origin`, watch.foreign.length === 0, watch.foreign);
}

// Runs axe-core with the rules of WCAG 2.2 AA and best practices.
export async function accessible(page, name) {
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const texts = found.violations.map((it) => `${it.id} (${it.impact}): ${it.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary}`).join(" | ")}`);
  check(`axe: ${name}`, texts.length === 0, texts);
}

// Saves a state in light, dark and phone width, and checks each of them with axe.
export class Screenshots {
  constructor(folder) {
    Object.assign(this, { folder, count: 0 });
  }

  async take(page, name, { axe = true } = {}) {
    this.count += 1;
    const number = String(this.count).padStart(2, "0");
    const size = page.viewportSize();
    for (const [variant, colorScheme, viewport] of [["light", "light", size], ["dark", "dark", size], ["phone", "light", PHONE]]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize(viewport);
      // Transitions of colors would be measured halfway.
      await page.evaluate(() => Promise.all(document.getAnimations().map((it) => (it.effect.getTiming().iterations === Infinity ? null : it.finished.catch(() => {})))));
      await page.screenshot({ path: `${this.folder}/${number}-${name}-${variant}.png` });
      if (axe) await accessible(page, `${name}, ${variant}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      check(`${name}, ${variant}: no horizontal scrolling`, wide <= 0, `${wide} px`);
    }
    await page.emulateMedia({ colorScheme: "light" });
    await page.setViewportSize(size);
  }
}
