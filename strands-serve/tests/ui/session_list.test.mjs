// The list of the sessions.

import assert from "node:assert/strict";
import { test } from "node:test";

import { attached } from "./dom.mjs";
import { SessionList } from "../../ui/session_list.js";

test("a title has a line of its own, and facts follow it", async () => {
  const session = { id: "s", title: "Book me a trip to New York from Monday to Friday", updated_at: "2026-11-29T10:00:00Z", has_pending_interrupts: true };
  const list = new SessionList({ sessions: async () => ({ sessions: [session] }) }, {});
  attached(list.element);
  await list.load();
  list.markUnread("s");
  const [title, facts] = list.element.querySelector("a").children;
  assert.equal(title.textContent, session.title);
  assert.deepEqual([...facts.children].map((it) => it.localName), ["time", "span", "span"]);
  assert.match(facts.textContent, /Waiting.*New answer/);
  assert.equal(facts.querySelector(".unread").hidden, false);
});
