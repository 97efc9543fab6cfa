// Decisions about requests of other users.

import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { attached, window } from "./dom.mjs";

Object.assign(globalThis, {
  location: window.location,
  localStorage: window.localStorage,
  sessionStorage: window.sessionStorage,
  addEventListener: window.addEventListener.bind(window),
  removeEventListener: window.removeEventListener.bind(window),
});
globalThis.fetch = (url, request) => service(url, request);
let service;

const { Api } = await import("../../ui/api.js");
const { Inbox } = await import("../../ui/inbox.js");

const REQUEST = { approval_id: "a1", run_id: "r1", tool: "book_trip", input: { nights: 2 }, may_approve: true };
const json = (body, status = 200) => new Response(JSON.stringify(body), { status });
const refused = (code, status) => json({ status, code, detail: `no: ${code}` }, status);

/** Decides on a request, with these responses in place of the service's. Returns the text of its card, and the numbers of the inbox. */
async function decided(responses, { clicks = 1 } = {}) {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  try {
    service = async (url) => (String(url).endsWith("/approvals") ? json({ approvals: [REQUEST] }) : responses.shift()());
    const counts = [];
    const inbox = new Inbox(new Api({ isNeeded: false, token: async () => null }), (count) => counts.push(count));
    attached(inbox.element);
    await inbox.load();
    const status = inbox.element.querySelector(".approval-status");
    for (let click = 0; click < clicks; click += 1) {
      inbox.element.querySelector(".approval-approve").click();
      for (let step = 0; status.textContent === "Approving…"; step += 1) {
        assert.ok(step < 1_000, "the decision has no end");
        mock.timers.tick(500);
        for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
      }
    }
    return { text: status.textContent, counts };
  } finally {
    mock.timers.reset();
  }
}

const lost = () => Promise.reject(new TypeError("network"));
const proxy = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
const known = () => refused("unknown_approval", 404);

test("a decision is sent", async () => {
  assert.deepEqual(await decided([() => json({}, 202)]), { text: "Approved", counts: [1, 0] });
});

for (const [name, response] of [["the network", lost], ["a proxy", proxy]]) {
  test(`a decision whose response was lost by ${name} is decided`, async () => {
    assert.deepEqual(await decided([response, known]), { text: "Approved", counts: [1, 0] });
  });
}

test("a decision whose response was lost is decided, also if the user has to try again", async () => {
  const busy = () => refused("session_busy", 409);
  assert.equal((await decided([lost, busy, busy, busy, busy, known], { clicks: 2 })).text, "Approved");
});

test("a request that is gone was not decided here", async () => {
  assert.deepEqual(await decided([known]), { text: "Not sent: no: unknown_approval", counts: [1] });
  // Overloaded services have not looked at it.
  assert.match((await decided([() => refused("overloaded", 503), known])).text, /Not sent/);
});
