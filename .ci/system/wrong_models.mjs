// See `wrong_models`.
import { launch, openContext, checkWatch } from "./lib/browser.mjs";
import { ChatPage } from "./lib/chat_page.mjs";
import { ModelServer } from "./lib/model_server.mjs";
import { Random, marker } from "./lib/random.mjs";
import { System } from "./lib/system.mjs";
import { User } from "./lib/user.mjs";
import { book } from "./lib/trip_script.mjs";
import { bookings, query } from "./lib/records.mjs";
import { check, equal, finish, note, step } from "./lib/report.mjs";
import { cases } from "./lib/wrong_cases.mjs";

const wanted = process.argv.slice(2).filter((it) => !it.startsWith("--"));
const scripts = { book, hello: () => ({ text: "Hello, all is well." }) };
const model = await ModelServer.start(scripts);
const system = await System.start("wrong_models", { s3: process.argv.includes("--s3"), model: model.env });
const browser = await launch();
try {
  const table = cases(await factsOf());
  const { context, watch } = await openContext(browser, { allowed: [system.url, system.issuer] });
  const page = await ChatPage.open(context, system.url);
  await page.signIn(system.account("alice"));
  for (const [name, each] of Object.entries(table)) {
    if (wanted.length && !wanted.includes(name)) continue;
    scripts[name] = each.script;
    await step(name, () => run(page, name, each));
  }
  checkWatch("wrong models", watch);
  check("no script has run", (await page.page.evaluate(() => globalThis.ran)) === undefined);
  note(`${model.calls} model calls, ${model.open} open`);
  equal("no stream of the model is left open", model.open, 0);
  equal("the model got no unknown prompt", model.unknown, []);
} finally {
  await browser.close();
  equal("no panic", await system.stop(), []);
  model.close();
}
finish();

// Flights and hotels of a trip, and a booking of Bob that nobody else may see or cancel.
async function factsOf() {
  const bob = await User.signIn(system, system.account("bob"), new Random(1), { crossed: [] });
  const departure = new Date(Date.now() + 30 * 86_400_000).toISOString().slice(0, 10);
  const inbound = new Date(Date.now() + 32 * 86_400_000).toISOString().slice(0, 10);
  const turn = await bob.prompt(`book Boston ${departure} 2 allowed ${bob.marker}`, { isStream: false });
  const [codeOfBob] = bob.codes;
  if (!codeOfBob) throw new Error(`Bob has no booking: ${JSON.stringify(turn)}`);
  const [home] = await query(system.database, "SELECT home_city FROM employees WHERE username = 'alice'");
  const flight = async (from, to) => {
    const sql = "SELECT number FROM flights WHERE origin = ? AND destination = ? AND weekdays = '1234567' ORDER BY fare_usd LIMIT 1";
    return (await query(system.database, sql, from, to))[0].number;
  };
  return {
    codeOfBob, departure, return: inbound, hotel: "BOS-H1", grand: "BOS-H3", marker: marker(),
    outbound: await flight(home.home_city, "BOS"), inbound: await flight("BOS", home.home_city),
  };
}

async function run(page, name, each) {
  const before = await bookings(system.database);
  await page.newSession();
  await page.send(name);
  if (each.isStopped) {
    await page.grows(each.steps);
    const began = Date.now();
    await page.stop();
    check(`${name}: stops within 5 seconds`, Date.now() - began < 5000, `${Date.now() - began} ms`);
  } else {
    if (each.isTyped) {
      await page.grows();
      const began = Date.now();
      await page.message.pressSequentially("typed");
      check(`${name}: the page takes keys while it streams`, Date.now() - began < 3000, `${Date.now() - began} ms`);
      await page.message.fill("");
    }
    await page.idle(each.limit);
  }
  const shown = await page.lastTurn();
  check(`${name}: the page shows the right result`, each.expect({ page, shown }), { ...shown, text: shown.text.slice(0, 300) });
  if (each.isInterrupted) {
    check(`${name}: an approval is pending`, shown.approvals >= 1);
    check(`${name}: Alice has no button to approve her own request`, !(await page.canApprove()));
  }
  const after = await bookings(system.database);
  const codes = new Set(before.map((it) => it.code));
  const added = after.filter((it) => !codes.has(it.code));
  const changed = before.filter((it) => !after.some((other) => other.code === it.code && other.status === it.status));
  equal(`${name}: no booking has changed`, changed, []);
  if (each.bookings) check(`${name}: the right bookings`, each.bookings({ added }), added);
  else equal(`${name}: no booking is made`, added, []);
  // The session is usable afterwards.
  if (!each.isInterrupted) {
    await page.send("hello");
    await page.idle();
    check(`${name}: the next prompt works`, /all is well/.test((await page.lastTurn()).text), await page.lastTurn());
  }
}
