// A conversation and its runs, with a scripted service.

import assert from "node:assert/strict";
import { test } from "node:test";

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
