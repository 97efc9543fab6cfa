// A run: its events until its end, over as many connections as that takes, without losing or repeating one.

import { Offline, Problem, backoff, pause } from "./api.js";
import { readEvents } from "./events.js";

// Responses "unknown" or "unfinished" in a row, after which the page acts on them. Another process behind a load balancer may
// know the run.
const PATIENCE = 4;
const BUSY_ATTEMPTS = 8;
/** Time for which an unfinished run is looked for, since another process may have it. */
const CUT_OFF_MS = 120_000;

/** An id for a new run, so that its prompt can be sent again without a second run. */
export function newRunId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/**
 * Hooks of a run: `onSession(id)`, `onAccepted()` when the service has taken the prompt or the replies, `onEvent(event)`, `onRestart()` when the run starts anew and all its events are void, and
 * `onState(state, problem)`: "sending", "streaming", "reconnecting", "waiting" (the service is busy), "cut_off" (it may still go on, but
 * that is unlikely).
 */
export class Run {
  #api;
  #hooks;
  #seq = null;
  #isWhole = true;
  #controller = new AbortController();
  /** Ends the wait before another attempt. */
  #stop = new AbortController();
  #isOver = false;

  /** `body` is the prompt's, if this page has sent it; `isReplayed` is a run that other tabs know of. */
  constructor(api, { runId, sessionId = null, body = null, isSent = false, isReplayed = false }) {
    this.#api = api;
    this.id = runId;
    this.sessionId = sessionId;
    this.body = body;
    this.isAcknowledged = isSent || !body;
    this.isCancelled = false;
    this.isCutOff = false;
    this.isReplayed = isReplayed;
  }

  setHooks(hooks) {
    this.#hooks = hooks;
  }

  /** Stops following. The run itself goes on. */
  leave() {
    this.#controller.abort(new DOMException("left", "AbortError"));
  }

  /** Cancels the run: in whichever process it is, so several times if need be. */
  async cancel() {
    this.isCancelled = true;
    this.#stop.abort();
    for (let attempt = 0; this.isAcknowledged && !this.#isOver && !this.#controller.signal.aborted; attempt += 1) {
      try {
        await this.#api.cancel(this.id);
        return;
      } catch (error) {
        if (error instanceof Problem && error.status !== 404 && !error.isTemporary) return;
      }
      await pause(Math.min(2_000, 150 + 150 * attempt), this.#controller.signal).catch(() => {});
    }
  }

  /** Sends replies to interrupts, and follows the run. */
  answer(answers) {
    return this.follow(async () => {
      const response = await this.#request(`runs/${this.id}/answers`, { method: "POST", body: { answers } });
      this.#hooks.onAccepted();
      return response;
    });
  }

  /**
   * Follows the run until it ends: `{kind: "result", response, isWhole}`, where not whole means that events are missing;
   * `{kind: "failure", problem}`; "nothing" if there is nothing new; "busy" if the session has another run; "lost" if nobody knows
   * the run; "unfinished" if it was cut off, and has not gone on for a while; "cancelled" if the prompt was not sent. Rejects if it is
   * left.
   */
  async follow(first = null) {
    this.#isOver = false;
    try {
      return await this.#attempts(first);
    } finally {
      this.#isOver = true;
    }
  }

  async #attempts(first) {
    const { signal } = this.#controller;
    const counts = { attempt: 0, missing: 0, unfinished: 0, busy: 0, cutOffAt: 0 };
    let open = first;
    for (;;) {
      if (this.isCancelled && !this.isAcknowledged && counts.attempt > 0) return { kind: "cancelled" };
      let delay = backoff(counts.attempt);
      try {
        open ??= this.isAcknowledged ? () => this.#events() : () => this.#prompt();
        const response = await open();
        open = null;
        if (response.status === 204) return { kind: "nothing" };
        Object.assign(counts, { attempt: 0, missing: 0, unfinished: 0, busy: 0 });
        this.#state("streaming");
        const end = await this.#read(response);
        if (end) return end;
        delay = backoff(0);
        this.#state("reconnecting");
      } catch (error) {
        open = null;
        if (signal.aborted) throw signal.reason;
        const end = this.#react(error, counts);
        if (end) return end;
        // A busy session is looked at soon: its run may be of this prompt, or of another tab.
        if (error.retryAfter && error.code !== "session_busy") delay = error.retryAfter * 1000;
      }
      counts.attempt += 1;
      await this.#pause(delay);
    }
  }

  async #pause(delay) {
    const { signal } = this.#controller;
    if (this.#stop.signal.aborted) return pause(delay, signal);
    await pause(delay, AbortSignal.any([signal, this.#stop.signal])).catch(() => {});
    return signal.throwIfAborted();
  }

  /** Decides about an error: an end, or another attempt. */
  #react(error, counts) {
    const isTransient = error instanceof Offline || error.isTemporary || error.code === "unfinished";
    if (isTransient && this.isCutOff && Date.now() - counts.cutOffAt > CUT_OFF_MS) return { kind: "unfinished" };
    if (error instanceof Offline) {
      this.#state("reconnecting");
      return null;
    }
    if (!(error instanceof Problem)) throw error;
    if (error.isTemporary) {
      this.#state("waiting", error);
      return !this.isAcknowledged && counts.attempt >= BUSY_ATTEMPTS ? { kind: "failure", problem: error } : null;
    }
    if (error.code === "unfinished") {
      // It runs in another process, or that process is gone.
      counts.unfinished += 1;
      // Soon at first, since another process may have it.
      counts.attempt = counts.unfinished <= PATIENCE ? 0 : counts.unfinished - PATIENCE;
      this.isAcknowledged = true;
      if (this.isCancelled && counts.unfinished > PATIENCE) return { kind: "lost" };
      if (!this.isCutOff) counts.cutOffAt = Date.now();
      this.#state(counts.unfinished > PATIENCE ? "cut_off" : "reconnecting");
      return null;
    }
    if (error.code === "unknown_run" && this.isAcknowledged) {
      counts.missing += 1;
      counts.attempt = 0;
      this.#state("reconnecting");
      if (counts.missing < PATIENCE) return null;
      return this.body ? this.#restart(counts) : { kind: "lost" };
    }
    if (error.code === "session_busy" && !this.isAcknowledged) {
      counts.busy += 1;
      return counts.busy < 3 ? null : { kind: "busy" };
    }
    if (error.code === "events_gone") return { kind: "result", response: null, isWhole: false };
    return { kind: "failure", problem: error };
  }

  /** Sends the prompt again: nothing of the run was stored before its process ended. */
  #restart(counts) {
    if (this.isCancelled) return { kind: "cancelled" };
    this.isAcknowledged = false;
    this.#seq = null;
    this.#isWhole = true;
    Object.assign(counts, { attempt: 0, missing: 0 });
    this.#hooks.onRestart();
    return null;
  }

  async #prompt() {
    this.#state("sending");
    const response = await this.#request("prompt/stream", { method: "POST", body: this.body });
    const location = response.headers.get("location");
    this.isAcknowledged = true;
    if (location) this.#session(new URL(location, "http://run/").searchParams.get("session_id"));
    this.#hooks.onAccepted();
    if (this.isCancelled) this.cancel();
    return response;
  }

  #events() {
    const query = this.sessionId ? `?session_id=${encodeURIComponent(this.sessionId)}` : "";
    const headers = this.#seq === null ? {} : { "last-event-id": `${this.id}:${this.#seq}` };
    return this.#request(`runs/${this.id}/events${query}`, { headers });
  }

  #request(path, options) {
    const headers = { accept: "text/event-stream", ...options.headers };
    return this.#api.request(path, { ...options, headers, signal: this.#controller.signal, isStream: true });
  }

  /** Reads a response. Returns the end of the run, or null if the connection was lost. */
  async #read(response) {
    for await (const { id, event, data } of readEvents(response, this.#controller.signal)) {
      const value = JSON.parse(data);
      if (event === "failure") {
        const problem = new Problem(value);
        if (problem.code === "slow_reader") return null;
        return problem.code === "session_busy" ? { kind: "busy" } : { kind: "failure", problem };
      }
      const seq = Number(id?.slice(id.lastIndexOf(":") + 1));
      if (this.#seq !== null && seq <= this.#seq) continue;
      // A run starts with `start`, also when it is resumed; other gaps are events that are no longer there.
      if (value.type !== "start" && seq !== this.#seq + 1) this.#isWhole = false;
      this.#seq = seq;
      if (value.type === "start" && value.session_id) this.#session(value.session_id);
      if (value.type === "result") return { kind: "result", response: value.response, isWhole: this.#isWhole };
      this.#hooks.onEvent(value);
    }
    this.#controller.signal.throwIfAborted();
    return null;
  }

  #session(id) {
    if (!id || id === this.sessionId) return;
    this.sessionId = id;
    this.#hooks.onSession(id);
  }

  #state(state, problem = null) {
    // What is cut off stays so until it goes on.
    if (this.isCutOff && (state === "reconnecting" || state === "waiting")) return;
    this.isCutOff = state === "cut_off";
    this.#hooks.onState(state, problem);
  }
}
