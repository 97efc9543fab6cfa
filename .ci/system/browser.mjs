// See `browser`.
import { mkdirSync, rmSync, statSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Screenshots, checkWatch, launch } from "./lib/browser.mjs";
import { Journeys } from "./lib/journeys.mjs";
import { home } from "./lib/packages.mjs";
import { check, equal, finish, note, step } from "./lib/report.mjs";
import { LocalSystem } from "./lib/local_system.mjs";
import { System } from "./lib/system.mjs";

const options = new Set(process.argv.slice(2));
const isMain = options.has("--main");
const s3 = options.has("--s3");
const PICTURE = "docs/src/images/chat-page.png";
const MAX_PICTURE = 200_000;

const folder = join(home, "screenshots", s3 ? "s3" : "files");
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });

// The system as `up` starts it; with S3 from its parts, since the recorder of AWS calls stands before the S3 server.
const system = s3 ? await System.start("browser", { s3, recorder: true }) : await LocalSystem.start("browser");
const browser = await launch();
let journeys;
try {
  const shots = isMain ? undefined : new Screenshots(folder);
  journeys = new Journeys({ system, browser, shots });
  await journey("Alice signs in and books a trip", () => journeys.books());
  if (!journeys.alice) throw new Error("without Alice's page there is nothing to check");
  await journey("Bob approves a trip above the limit in another browser", () => journeys.approves());
  if (options.has("--picture")) await journey("image of the README", takePicture);
  await journey("a reload shows the history", () => journeys.reloads());
  await journey("Carol looks and doesn't book", () => journeys.audits());
  await journey("stop cancels", () => journeys.stops());
  await journey("a killed server loses nothing", () => journeys.survivesKills(isMain ? 1 : 2));
  if (!isMain) {
    await journey("Bob denies a trip", () => journeys.denies());
    await journey("a killed MCP server and issuer come back", () => journeys.survivesPartsKilled());
    if (system.restart) await journey("`up` is stopped and started again", () => journeys.survivesRestart());
    await journey("the network goes away in a stream", () => journeys.sleeps());
    await journey("a reload in the middle of a run", () => journeys.reloadsWhileRunning());
    await journey("conversations: titles, rename, search, delete", () => journeys.managesSessions());
    await journey("edit and send again", () => journeys.editsAndResends());
    await journey("attachments", () => journeys.attaches());
    await journey("two tabs of one conversation", () => journeys.sharesTabs());
    await journey("a pasted token", () => journeys.pastesToken());
    await journey("keyboard alone", () => journeys.usesKeyboard());
    await journey("usage of the turns", () => journeys.showsUsage());
    await journey("policy documents", () => journeys.readsPolicies());
    await journey("the menu on a phone", () => journeys.phoneMenu());
  }
  for (const [name, watch] of journeys.watches) checkWatch(name, watch);
  note(`screenshots: ${folder}`);
} finally {
  await browser.close();
  equal("no panic", await system.stop(), []);
}
// Services that the local system has not, such as Bedrock, are in the file of `scripted_calls`.
const others = process.env.STRANDS_AWS_CALLS;
if (system.calls && others) {
  await step("least privilege of the recorded AWS calls", async () => note(execFileSync(".ci/deploy/least_privilege", [others, system.calls], { encoding: "utf8" }).trim().split("\n").at(-1)));
} else if (system.calls) {
  note(`recorded AWS calls: ${system.calls}`);
}
finish();

// A step, after a failure of which the pages are saved as they are.
async function journey(name, run) {
  await step(name, async () => {
    try {
      return await run();
    } catch (error) {
      for (const [index, page] of browser.contexts().flatMap((it) => it.pages()).entries()) {
        await page.screenshot({ path: join(folder, `failure-${name.replace(/\W+/g, "-")}-${index}.png`) }).catch(() => {});
      }
      throw error;
    }
  });
}

// The conversation with the approved booking, small enough for the repository.
async function takePicture() {
  const { page } = journeys.alice;
  await page.evaluate(() => document.querySelectorAll("article.turn details[open]").forEach((it) => (it.open = false)));
  await page.mouse.move(0, 0);
  mkdirSync("docs/src/images", { recursive: true });
  await page.screenshot({ path: PICTURE });
  check("the image is small", statSync(PICTURE).size < MAX_PICTURE, `${statSync(PICTURE).size} bytes`);
}
