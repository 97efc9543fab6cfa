// See `crowd`.
import { Random, pause } from "./lib/random.mjs";
import { System } from "./lib/system.mjs";
import { User } from "./lib/user.mjs";
import { ModelServer } from "./lib/model_server.mjs";
import { book } from "./lib/trip_script.mjs";
import { bookings } from "./lib/records.mjs";
import { check, equal, finish, note, step } from "./lib/report.mjs";
import { acceptedTwice, auditProblems, bookingsWithOwners, storedTurns } from "./lib/stored.mjs";

const count = Number(process.env.STRANDS_USERS ?? 50);
const seconds = Number(process.env.STRANDS_SECONDS ?? 60);
const seed = Number(process.env.STRANDS_SEED ?? Date.now() % 1_000_000);
const random = new Random(seed);
// The S3 server of the tests is one thread of Python, and each look at the approvals reads many objects.
const pace = process.argv.includes("--s3") ? 5 : 1;
const totals = { turns: 0, bookings: 0, approvals: 0, denials: 0, transcripts: 0, desk: 0, probes: 0 };
const shared = { crossed: [], unexpected: [], accepted: [] };

function say({ prompt }) {
  const [, marker, id] = prompt.trim().split(/\s+/);
  return { text: `${marker} says ${id}. ${"All of it is yours alone. ".repeat(4)}`, chunk: 32, delay: 5 };
}

const expected = (turn) => turn.isAcknowledged || [409, 429, 503].includes(turn.status);

function refuse(user, what, detail) {
  shared.unexpected.push(`${user.username}: ${what}: ${JSON.stringify(detail).slice(0, 300)}`);
}

// A traveler: prompts, books, waits for approvals, reads transcripts, asks the MCP server, and tries to reach others.
async function alice(user, others, isOver) {
  await user.newSession();
  while (!isOver()) {
    const kind = user.random.next();
    if (kind < 0.35) {
      const turn = await user.say();
      if (!expected(turn)) refuse(user, "prompt", turn);
    } else if (kind < 0.55) {
      const turn = await user.book("allowed");
      if (!expected(turn)) refuse(user, "booking", turn);
    } else if (kind < 0.68) {
      const turn = await user.book("grand");
      if (!expected(turn)) refuse(user, "booking above the limit", turn);
      if (turn.stop === "interrupt" && !(await user.decided(turn))) refuse(user, "no decision", turn);
    } else if (kind < 0.8) {
      await readTranscripts(user);
    } else if (kind < 0.9) {
      totals.desk += 1;
      const found = await user.bookingsAtDesk();
      if (!found) refuse(user, "my_bookings", user.deskError);
      else user.atDesk = found;
    } else {
      await probe(user, user.random.pick(others));
    }
  }
}

async function readTranscripts(user) {
  totals.transcripts += 1;
  const { status, body } = await user.client.json("GET", "/sessions");
  if (status !== 200) return void (status === 503 || status === 429 || refuse(user, "sessions", body));
  for (const { id } of body.sessions) {
    if (!id.startsWith(`session_for_user_${user.subject}`)) shared.crossed.push(`${user.username} sees session ${id}`);
    await user.client.json("GET", `/sessions/${encodeURIComponent(id)}`);
  }
}

// Requests for sessions, runs and approvals of another user find nothing.
async function probe(user, other) {
  totals.probes += 1;
  const session = encodeURIComponent(`session_for_user_${other.subject}`);
  const run = other.turns.findLast((turn) => turn.run)?.run ?? "none";
  for (const [method, path, body] of [
    ["GET", `/sessions/${session}`],
    ["DELETE", `/sessions/${session}`],
    ["PATCH", `/sessions/${session}`, { title: user.marker }],
    ["GET", `/runs/${run}/events?session_id=${session}`],
    ["GET", `/runs/${run}/events`],
    ["DELETE", `/runs/${run}`],
    ["POST", "/prompt", { prompt: `say ${user.marker}`, session_id: `session_for_user_${other.subject}` }],
  ]) {
    const { status } = await user.client.json(method, path, body);
    if (status !== 404) shared.crossed.push(`${user.username}: ${method} ${path} of ${other.username}: ${status}`);
  }
}

// A manager: approves and denies requests of travelers, and prompts.
async function bob(user, isOver) {
  while (!isOver()) {
    const { status, body } = await user.client.json("GET", "/approvals");
    const open = status === 200 ? body.approvals.filter((it) => it.may_approve) : [];
    if (status !== 200 && status !== 503 && status !== 429) refuse(user, "approvals", body);
    if (open.length) {
      const request = user.random.pick(open);
      if (request.session_id) refuse(user, "the session of an approval", request);
      const approve = user.random.next() < 0.8;
      const reply = { approval_id: request.approval_id, approve, ...(approve ? {} : { reason: "too expensive" }) };
      const { status, body } = await user.client.json("POST", `/runs/${request.run_id}/answers`, { answers: [reply] });
      if (status === 202) {
        totals[approve ? "approvals" : "denials"] += 1;
        shared.accepted.push(request.approval_id);
      }
      if (![202, 404, 409, 429, 503].includes(status)) refuse(user, "reply", { status, body });
    }
    if (user.random.next() < 0.3) {
      const turn = await user.say();
      if (!expected(turn)) refuse(user, "prompt", turn);
    }
    await pause((300 + user.random.below(700)) * pace);
  }
}

const model = await ModelServer.start({ say, book });
const system = await System.start("crowd", { s3: process.argv.includes("--s3"), users: count, model: model.env });
try {
  note(`seed ${seed}`);
  const accounts = (role) => Array.from({ length: count }, (_, index) => system.account(role, index + 1));
  const users = await step(`${2 * count} users sign in`, async () => {
    const users = [];
    for (const account of [...accounts("alice"), ...accounts("bob")]) users.push(await User.signIn(system, account, new Random(random.below(2 ** 31)), shared));
    return users;
  });
  const alices = users.slice(0, count);
  const bobs = users.slice(count);
  const end = Date.now() + seconds * 1000;
  let finished = false;
  const loads = alices.map((user) => alice(user, users.filter((it) => it !== user), () => Date.now() > end));
  const decisions = bobs.map((user) => bob(user, () => finished));
  const failures = (await Promise.allSettled(loads)).filter((it) => it.reason);
  finished = true;
  failures.push(...(await Promise.allSettled(decisions)).filter((it) => it.reason));
  equal("clients without an exception", failures.map((it) => String(it.reason?.stack)), []);
  for (const user of users) totals.turns += await storedTurns(user, shared);
  const found = await bookings(system.database);
  totals.bookings = found.length;
  bookingsWithOwners(found, users, shared, { isComplete: true });
  const requests = users.reduce((sum, user) => sum + user.client.requests, 0);
  note(`${2 * count} users, ${seconds} s: ${totals.turns} turns, ${requests} requests, ${model.calls} model calls, ${JSON.stringify(totals)}`);
  equal("nothing crosses over", shared.crossed.slice(0, 20), []);
  equal("no unexpected response", shared.unexpected.slice(0, 20), []);
  equal("the model got no unknown prompt", model.unknown.slice(0, 5), []);
  equal("each request has one accepted reply", acceptedTwice(shared.accepted), []);
  for (const kind of ["turns", "bookings", "approvals", "transcripts", "desk", "probes"]) check(`there were ${kind}`, totals[kind] > 0);
  const audit = await auditProblems(system, users);
  note(`audit: ${JSON.stringify({ ...audit, problems: audit.problems.length })}`);
  equal("each booking has one audit record, and one approval if it is above the limit", audit.problems.slice(0, 10), []);
} finally {
  equal("no panic", await system.stop(), []);
  model.close();
}
finish();
