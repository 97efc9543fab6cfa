// A conversation and its runs, with a scripted service.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { window } from "./dom.mjs";

Object.assign(globalThis, {
  location: window.location,
  localStorage: window.localStorage,
  sessionStorage: window.sessionStorage,
  addEventListener: window.addEventListener.bind(window),
  removeEventListener: window.removeEventListener.bind(window),
  requestAnimationFrame: (work) => setTimeout(work, 0),
});

const { Conversation } = await import("../../ui/conversation.js");
const { Problem } = await import("../../ui/api.js");

const RUN = "0b9f6a52-6a52-4b6f-9d0e-6f1f0f6b3a11";
const PROMPT = { role: "user", content: [{ text: "count" }], tracking_id: RUN };
const CALL = { role: "assistant", content: [{ toolUse: { toolUseId: "t1", name: "count", input: {} } }] };
const RESULT = { role: "user", content: [{ toolResult: { toolUseId: "t1", status: "success", content: [{ text: "1" }] } }] };

test("a run that reached a limit, and whose events are gone, is followed once", async () => {
  const requests = [];
  const response = { stop_reason: "limit_turns", message: CALL, interrupts: [] };
  const api = {
    session: async () => ({ id: "s", title: "Count", messages: [PROMPT, CALL, RESULT], interrupts: [] }),
    async request(path) {
      requests.push(path);
      assert.ok(requests.length < 5, "the page asks again and again");
      return new Response(`id: ${RUN}:9\ndata: ${JSON.stringify({ type: "result", response })}\n\n`);
    },
  };
  const changed = new Promise((resolve) => {
    const hooks = { onRunning() {}, onGrow() {}, onChanged: resolve, onError: (error) => assert.fail(error) };
    new Conversation("s", { api, settings: { title: "Agent" }, hooks }).load();
  });
  const conversation = await changed;
  assert.deepEqual(requests, [`runs/${RUN}/events?session_id=s`]);
  assert.equal(conversation.isRunning, false);
  assert.match(conversation.element.textContent, /The limit of steps was reached/);
});

const FAILED = { id: "s", title: "Count", messages: [PROMPT], interrupts: [] };
const NO_HOOKS = { isNew: () => false, onSession() {}, onRunning() {}, onChanged() {}, onRun() {}, onRefused() {}, onGrow() {}, onError: (error) => assert.fail(error) };

/** A conversation whose last run has no end in its session, such as after an error of the model, with a service that scripts respond for. */
function unfinished(scripts = {}, hooks = {}) {
  const requests = [];
  const api = {
    session: async () => FAILED,
    rename: async (id, title) => ({ id, title }),
    rewind: async (id, message) => void requests.push(`rewind ${message}`),
    async request(path, options) {
      requests.push(path);
      if (path.startsWith("prompt")) return answered(options.body.run_id);
      throw new Problem({ status: 409, code: "unfinished", detail: "the run has not ended" });
    },
    ...scripts,
  };
  const conversation = new Conversation("s", { api, settings: { title: "Agent" }, hooks: { ...NO_HOOKS, ...hooks } });
  return { conversation, requests };
}

function answered(runId, text = "2") {
  const message = { role: "assistant", content: [{ text }] };
  const events = [{ type: "start", session_id: "s" }, { type: "message", message }, { type: "result", response: { stop_reason: "end_turn", message, interrupts: [] } }];
  return new Response(events.map((event, index) => `id: ${runId}:${index}\ndata: ${JSON.stringify(event)}\n\n`).join(""));
}

/** Lets time pass, in steps that are shorter than any wait, until a condition holds. Returns the time in milliseconds. */
async function pass(condition, limit = 600_000) {
  let passed = 0;
  for (; !condition(); passed += 100) {
    assert.ok(passed < limit, "nothing happens any more");
    mock.timers.tick(100);
    for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }
  return passed;
}

function withClock(name, work) {
  test(name, async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"] });
    try {
      await work();
    } finally {
      mock.timers.reset();
    }
  });
}

const note = ({ element }) => element.querySelector(".note.error p")?.textContent ?? "";
const retry = ({ element }) => [...element.querySelectorAll(".note button")].find((it) => it.textContent === "Try again");

withClock("an unfinished run does not keep the user from sending, and is looked for during two minutes", async () => {
  const running = [];
  const { conversation, requests } = unfinished({}, { onRunning: (it) => running.push(it.isRunning) });
  await conversation.load();
  assert.equal(conversation.isRunning, true);
  const soon = await pass(() => note(conversation) !== "");
  assert.ok(soon < 5_000, `${soon} ms`);
  assert.match(note(conversation), /cut off. It may still come back/);
  assert.equal(conversation.isRunning, false);
  assert.equal(running.at(-1), false);
  const minutes = await pass(() => !/may still/.test(note(conversation)));
  assert.ok(minutes > 100_000 && minutes < 140_000, `${minutes} ms`);
  assert.equal(note(conversation), "The answer was cut off.");
  assert.ok(retry(conversation));
  assert.ok(requests.length < 30, `${requests.length} requests`);
  const count = requests.length;
  mock.timers.tick(60_000);
  await pass(() => true);
  assert.equal(requests.length, count);
});

withClock("the next prompt is sent while the last one is cut off, and does not join it", async () => {
  const { conversation, requests } = unfinished();
  await conversation.load();
  await pass(() => note(conversation) !== "");
  assert.equal(conversation.send("again"), true);
  await pass(() => !conversation.isRunning && conversation.turns.at(-1).isEnded);
  assert.deepEqual(conversation.turns.map((turn) => turn.text), ["", "2"]);
  // To try the first one again would remove the second.
  assert.equal(note(conversation), "The answer was cut off.");
  assert.equal(retry(conversation), undefined);
  const count = requests.length;
  mock.timers.tick(200_000);
  await pass(() => true);
  assert.equal(requests.length, count);
});

withClock("a cut-off run that goes on is followed", async () => {
  let isBack = false;
  const running = [];
  const { conversation } = unfinished({
    async request() {
      if (isBack) return answered(RUN, "1");
      throw new Problem({ status: 409, code: "unfinished" });
    },
  }, { onRunning: (it) => running.push(it.isRunning) });
  await conversation.load();
  await pass(() => note(conversation) !== "");
  isBack = true;
  await pass(() => conversation.turns[0].isEnded);
  assert.deepEqual(running, [true, false, true, false]);
  assert.equal(conversation.turns[0].text, "1");
});

withClock("a failed prompt can't be tried again below a later one", async () => {
  let hasFailed = false;
  const { conversation } = unfinished({
    session: async () => ({ ...FAILED, messages: [] }),
    async request(_, { body }) {
      if (hasFailed) return answered(body.run_id);
      hasFailed = true;
      throw new Problem({ status: 502, code: "model_failed", detail: "the model failed" });
    },
  });
  await conversation.load();
  conversation.send("first");
  await pass(() => note(conversation) !== "");
  assert.ok(retry(conversation));
  conversation.send("second");
  await pass(() => conversation.turns.at(-1).isEnded);
  assert.equal(note(conversation), "The model failed.");
  assert.equal(retry(conversation), undefined);
});

for (const hasCome of [false, true]) {
  withClock(`trying again ${hasCome ? "shows the answer that has come meanwhile" : "replaces the prompt"}`, async () => {
    const scripts = hasCome ? { sessions: [FAILED, { ...FAILED, messages: [PROMPT, { role: "assistant", content: [{ text: "1" }] }] }] } : {};
    if (hasCome) scripts.session = async () => scripts.sessions.shift() ?? { ...FAILED, messages: [PROMPT, { role: "assistant", content: [{ text: "1" }] }] };
    const { conversation, requests } = unfinished(scripts);
    await conversation.load();
    await pass(() => retry(conversation) !== undefined);
    retry(conversation).click();
    await pass(() => conversation.turns[0].isEnded);
    assert.deepEqual(conversation.turns.map((turn) => turn.text), [hasCome ? "1" : "2"]);
    assert.equal(requests.includes(`rewind ${RUN}`), !hasCome);
  });
}

withClock("an answer whose end can't be loaded is loaded when the user tries again", async () => {
  let isAway = false;
  const errors = [];
  const answer = { role: "assistant", content: [{ text: "It is 2." }] };
  const { conversation } = unfinished({
    async session() {
      if (isAway) throw new Problem({ status: 503, code: "unavailable", detail: "the session store is away" });
      return errors.length ? { ...FAILED, messages: [PROMPT, answer] } : FAILED;
    },
    // The run has ended, and its events are gone.
    async request() {
      isAway = true;
      throw new Problem({ status: 410, code: "events_gone", detail: "the events are gone" });
    },
  }, { onError: (error) => errors.push(error) });
  await conversation.load();
  await pass(() => note(conversation) !== "");
  assert.equal(note(conversation), "The end of the answer can't be loaded.");
  assert.equal(conversation.isRunning, false);
  assert.equal(conversation.element.querySelector("[aria-busy]"), null);
  retry(conversation).click();
  await pass(() => note(conversation) === "The end of the answer can't be loaded." && errors.length === 2);
  isAway = false;
  retry(conversation).click();
  await pass(() => /It is 2/.test(conversation.element.textContent));
  assert.equal(note(conversation), "");
});

test("two tabs don't tell each other about the end of an old run", { timeout: 10_000 }, async () => {
  const news = await new Promise((resolve) => {
    const response = { stop_reason: "limit_turns", message: CALL, interrupts: [] };
    const request = async () => new Response(`id: ${RUN}:0\ndata: {"type":"start"}\n\nid: ${RUN}:1\ndata: ${JSON.stringify({ type: "result", response })}\n\n`);
    unfinished({ request }, { onChanged: (_, isNews) => resolve(isNews) }).conversation.load();
  });
  assert.equal(news, false);
});

test("a conversation without a title gets one when it is shown", { timeout: 10_000 }, async () => {
  const messages = [PROMPT, { role: "assistant", content: [{ text: "1" }] }];
  const conversation = await new Promise((resolve) => {
    unfinished({ session: async () => ({ ...FAILED, title: null, messages }) }, { onChanged: resolve }).conversation.load();
  });
  assert.equal(conversation.title, "count");
});

test("a run of another tab is shown with its prompt", async () => {
  const { conversation } = unfinished({ session: async () => ({ ...FAILED, messages: [] }), request: () => new Promise(() => {}) });
  await conversation.load();
  conversation.followOther(RUN, PROMPT);
  assert.equal(conversation.element.querySelector(".prompt-text").textContent, "count");
});

test("a prompt after one without an answer is a turn of its own", async () => {
  const next = { role: "user", content: [{ text: "next" }], tracking_id: "b" };
  const more = { role: "user", content: [{ text: "more" }] };
  const answer = { role: "assistant", content: [{ text: "2" }] };
  const { conversation } = unfinished({ session: async () => ({ ...FAILED, messages: [PROMPT, next, more, answer] }) });
  await conversation.load();
  assert.deepEqual(conversation.turns.map((turn) => [turn.runId, turn.message.content.length, turn.text]), [[RUN, 1, ""], ["b", 2, "2"]]);
});

test("a prompt that is stored with the results of calls that were cut off is a turn of its own", async () => {
  const next = { ...RESULT, content: [...RESULT.content, { text: "next" }], tracking_id: "b" };
  const { conversation } = unfinished({ session: async () => ({ ...FAILED, messages: [PROMPT, CALL, next, { role: "assistant", content: [{ text: "2" }] }] }) });
  await conversation.load();
  assert.deepEqual(conversation.turns.map((turn) => [turn.runId, turn.element.querySelector(".prompt-text").textContent, turn.text]), [[RUN, "count", ""], ["b", "next", "2"]]);
  assert.equal(conversation.element.querySelectorAll(".call").length, 1);
  // The service can't rewind to it.
  assert.equal(conversation.element.querySelector("[aria-label^=Edit]"), null);
});

test("a call that waits is shown so after a reload", async () => {
  const interrupts = [{ id: "i", name: "approval", reason: { tool: "count", input: {}, tool_use_id: "t1" } }];
  const approvals = () => new Promise(() => {});
  const { conversation } = unfinished({ session: async () => ({ ...FAILED, messages: [PROMPT, CALL], interrupts }), approvals });
  await conversation.load();
  assert.equal(conversation.element.querySelector(".call-status").textContent, "Waiting for approval");
  conversation.leave();
});
