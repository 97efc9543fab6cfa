// Requests of other users that wait for this user's approval.

import { approvalCard } from "./approvals.js";
import { announce, el } from "./dom.js";

const EVERY_MS = 15_000;
/** Each look reads the records of all sessions, so pages of users without requests look less often. */
const LONGEST_MS = 60_000;

export class Inbox {
  #api;
  #onCount;
  #cards = new Map();
  #list = el("div", { class: "cards" });
  #note = el("p", { class: "muted", role: "status" });
  #timer = null;
  #looks = 0;
  #count = 0;
  #decided = new Set();
  /** Requests with a decision whose response was lost. */
  #sent = new Set();

  /** `onCount(number)` is told the number of requests. */
  constructor(api, onCount) {
    this.#api = api;
    this.#onCount = onCount;
    this.element = el("div", { class: "inbox" }, el("h2", { tabindex: "-1" }, "Approvals"), this.#note, this.#list);
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.load());
  }

  /** Reads the requests again, now and then from time to time. */
  async load() {
    clearTimeout(this.#timer);
    this.#looks = this.#count > 0 || this.element.isConnected ? 1 : this.#looks + 1;
    // Many pages must not ask at the same moment.
    const delay = Math.min(LONGEST_MS, EVERY_MS * this.#looks) * (0.75 + Math.random() / 2);
    this.#timer = setTimeout(() => document.visibilityState === "visible" && this.load(), delay);
    try {
      const { approvals } = await this.#api.approvals();
      this.#show(approvals.filter((approval) => !approval.session_id));
    } catch {
      this.#note.textContent = "The requests can't be loaded. Trying again.";
    }
  }

  #show(approvals) {
    const ids = new Set(approvals.map((approval) => approval.approval_id));
    for (const [id, card] of this.#cards) {
      // One that is being read must not vanish.
      if (ids.has(id) || (card.contains(document.activeElement) && !this.#decided.has(id))) continue;
      if (card.contains(document.activeElement)) this.element.querySelector("h2").focus();
      card.remove();
      this.#cards.delete(id);
    }
    for (const approval of approvals) {
      if (this.#cards.has(approval.approval_id)) continue;
      const card = approvalCard(approval, { canDecide: true, onDecision: (decision) => this.#decide(approval, decision) });
      this.#cards.set(approval.approval_id, card);
      this.#list.append(card);
    }
    this.#note.textContent = this.#cards.size ? "" : "Nothing waits for you.";
    if (approvals.length > this.#count) announce(approvals.length === 1 ? "A request waits for your approval." : `${approvals.length} requests wait for your approval.`);
    this.#count = approvals.length;
    this.#onCount(approvals.length);
  }

  async #decide(approval, { approve, reason }) {
    const answer = { approval_id: approval.approval_id, approve, ...(reason ? { reason } : {}) };
    const path = `runs/${encodeURIComponent(approval.run_id)}/answers`;
    try {
      await this.#api.json(path, { method: "POST", body: { answers: [answer] } });
    } catch (error) {
      if (error.mayBeDone) this.#sent.add(approval.approval_id);
      // The service had accepted it.
      if (error.code !== "unknown_approval" || !this.#sent.has(approval.approval_id)) throw error;
    }
    this.#decided.add(approval.approval_id);
    this.#count = Math.max(0, this.#count - 1);
    this.#onCount(this.#count);
  }
}
