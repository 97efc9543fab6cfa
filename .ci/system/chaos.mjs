// See `chaos`.
import { launch, openContext, checkWatch } from "./lib/browser.mjs";
import { ChatPage } from "./lib/chat_page.mjs";
import { Faults } from "./lib/faults.mjs";
import { ModelServer } from "./lib/model_server.mjs";
import { Random, letters, pause } from "./lib/random.mjs";
import { System } from "./lib/system.mjs";
import { User } from "./lib/user.mjs";
import { book, tripPrompt } from "./lib/trip_script.mjs";
import { bookings } from "./lib/records.mjs";
import { check, equal, finish, note, step } from "./lib/report.mjs";
import { acceptedTwice, auditProblems, bookingsWithOwners, storedTurns } from "./lib/stored.mjs";

const minutes = Number(process.env.STRANDS_MINUTES ?? 20);
const seed = Number(process.env.STRANDS_SEED ?? Date.now() % 1_000_000);
const travelers = Number(process.env.STRANDS_USERS ?? 8);
const random = new Random(seed);
const shared = { crossed: [], unexpected: [], accepted: [] };

const say = ({ prompt }) => {
  const [, marker, id] = prompt.trim().split(/\s+/);
  return { text: `${marker} says ${id}. ${"It takes a while to say this. ".repeat(6)}`, chunk: 12, delay: 30 };
};

const model = await ModelServer.start({ say, book });
const system = await System.start("chaos", { s3: !process.argv.includes("--files"), users: travelers + 2, model: model.env });
const browser = await launch();
try {
  note(`seed ${seed}, ${minutes} minutes`);
  const sign = (name, number) => User.signIn(system, system.account(name, number), new Random(random.below(2 ** 31)), shared);
  const alices = [];
  const bobs = [];
  for (let number = 1; number <= travelers; number += 1) alices.push(await sign("alice", number));
  for (let number = 1; number <= 2; number += 1) bobs.push(await sign("bob", number));
  const pages = [];
  for (const [name, number] of [["alice", travelers + 1], ["alice", travelers + 2], ["bob", 3]]) pages.push(await openPage(name, number));

  const end = Date.now() + minutes * 60_000;
  const isOver = () => Date.now() > end;
  let decided = false;
  const faults = new Faults(system, new Random(seed));
  const loads = [...alices.map((it) => alice(it, isOver)), ...pages.map((it) => usePage(it, isOver))];
  const decisions = bobs.map((it) => bob(it, () => decided));
  await faults.until(end);
  const failures = (await Promise.allSettled(loads)).filter((it) => it.reason);
  decided = true;
  failures.push(...(await Promise.allSettled(decisions)).filter((it) => it.reason));
  equal("clients without an exception", failures.map((it) => String(it.reason?.stack)), []);

  for (const it of pages) await step(`the browser of ${it.user.username} works without a reload`, () => recovered(it));
  const users = [...alices, ...bobs, ...pages.map((it) => it.user)];
  let turns = 0;
  for (const user of users) turns += await storedTurns(user, shared);
  const found = await bookings(system.database);
  bookingsWithOwners(found, users, shared, { isComplete: false });
  const audit = await auditProblems(system, users);
  note(`audit: ${JSON.stringify({ ...audit, problems: audit.problems.length })}`);
  equal("each booking has one audit record, and one approval if it is above the limit", audit.problems.slice(0, 10), []);
  note(`seed ${seed}: ${faults.total} faults, ${system.restarts} restarts, ${turns} acknowledged turns, ${found.length} bookings; ${JSON.stringify(faults.counts)}`);
  equal("each request has one accepted reply", acceptedTwice(shared.accepted), []);
  equal("nothing crosses over", shared.crossed.slice(0, 20), []);
  equal("each acknowledged turn is stored once", shared.unexpected.slice(0, 20), []);
  check("there were acknowledged turns", turns > 0);
  check("there were bookings", found.length > 0);
  for (const { user, watch } of pages) checkWatch(user.username, watch);
} finally {
  await browser.close();
  equal("no panic", await system.stop(), []);
  model.close();
}
finish();

// A traveler on HTTP.
async function alice(user, isOver) {
  while (!isOver()) {
    try {
      const kind = user.random.next();
      if (kind < 0.6) {
        await user.say();
      } else if (kind < 0.8) {
        await user.book("allowed");
      } else {
        const turn = await user.book("grand");
        // Killed between the reply and its tool call, the run goes on with the next prompt.
        if (turn.stop === "interrupt") await user.decided(turn, 30_000);
      }
    } catch (error) {
      if (!isOfNetwork(error)) throw error;
    }
    await pause(50);
  }
}

// A manager on HTTP.
async function bob(user, isOver) {
  while (!isOver()) {
    try {
      const { status, body } = await user.client.json("GET", "/approvals");
      for (const request of status === 200 ? body.approvals.filter((it) => it.may_approve).slice(0, 3) : []) {
        const reply = { approval_id: request.approval_id, approve: user.random.next() < 0.85 };
        const sent = await user.client.json("POST", `/runs/${request.run_id}/answers`, { answers: [reply] });
        if (sent.status === 202) shared.accepted.push(request.approval_id);
      }
    } catch (error) {
      if (!isOfNetwork(error)) throw error;
    }
    await pause(500);
  }
}

function isOfNetwork(error) {
  return error instanceof TypeError || error instanceof SyntaxError || ["TimeoutError", "AbortError"].includes(error.name) || /refused for|no token/.test(error.message);
}

async function openPage(name, number) {
  const account = system.account(name, number);
  const { context, watch } = await openContext(browser, { allowed: [system.url, system.issuer] });
  const page = await ChatPage.open(context, system.url);
  await page.signIn(account);
  const user = await User.signIn(system, account, new Random(random.below(2 ** 31)), shared);
  await page.page.evaluate(() => (globalThis.isSamePage = true));
  return { page, user, watch };
}

// A user of the page, who retries if the page offers it, and approves what the page shows.
async function usePage({ page, user }, isOver) {
  while (!isOver()) {
    const id = letters();
    const text = user.random.next() < 0.7 ? `say ${user.marker} ${id}` : `${tripPrompt(user.random, "allowed", user.marker)} ${id}`;
    const turn = { text, isAcknowledged: false, isRetried: false };
    user.turns.push(turn);
    try {
      await page.send(text);
      for (let attempt = 0; attempt < 5; attempt += 1) {
        // A server that is away for good is waited for, and each call of a tool that hangs takes its time.
        await page.idle(180_000);
        if (!(await page.retry())) break;
        turn.isRetried = true;
      }
      const shown = await page.lastTurn();
      user.read(await page.text(), "the page");
      if (shown.prompt.includes(id) && !shown.problem && /says|booked/.test(shown.text)) {
        turn.isAcknowledged = true;
        turn.reply = shown.text;
        user.noteCode(shown.text);
      }
      if (user.username.startsWith("bob")) await page.approveFirst();
    } catch (error) {
      shared.unexpected.push(`${user.username}: the page: ${error.stack}`);
      return;
    }
  }
}

async function recovered({ page, user }) {
  await page.idle(60_000);
  const id = letters();
  await page.send(`say ${user.marker} ${id}`);
  await page.idle(60_000);
  const shown = await page.lastTurn();
  check(`${user.username} gets a response`, shown.text.includes(`says ${id}`), shown);
  check(`${user.username} is on the same page`, await page.page.evaluate(() => globalThis.isSamePage === true));
}
