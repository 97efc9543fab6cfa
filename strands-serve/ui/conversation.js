// A conversation: its turns, the run that is on its way, and the wait for approvals.

import { Problem, backoff, pause } from "./api.js";
import { announce, button, el } from "./dom.js";
import { interruptCards } from "./interrupts.js";
import { Run, newRunId } from "./run.js";
import { pending } from "./storage.js";
import { isEnded, textOf, titleOf, turnsOf } from "./transcript.js";
import { TurnView } from "./turn.js";

/** Turns that are shown at first; older ones on request. */
const SHOWN_TURNS = 40;

const CUT_OFF = "The answer was cut off.";
const STATES = { sending: "Sending", streaming: "Working", reconnecting: "Reconnecting" };

export class Conversation {
  #api;
  #settings;
  #hooks;
  #run = null;
  #waiting = null;
  #older = [];

  /**
   * `id` is null for a new conversation. Hooks: `onSession(conversation)` once it has an id, `onRunning(conversation)`,
   * `onChanged(conversation, isNews)` when the stored session has changed; it is news for other tabs, or not,
   * `onRun(conversation, runId, message)` with the prompt, `onRefused(conversation, body)` for a prompt that was not accepted, `onGrow(conversation)`, `onError(error)`.
   */
  constructor(id, { api, settings, hooks }) {
    this.id = id;
    this.#api = api;
    this.#settings = settings;
    this.#hooks = hooks;
    this.title = null;
    this.turns = [];
    this.isLoaded = id === null;
    this.element = el("div", { class: "turns" });
  }

  get isRunning() {
    return this.#run !== null && !this.#run.isCutOff;
  }

  /** A title made of the first prompt. */
  get firstTitle() {
    const first = this.turns[0]?.message;
    return first && !this.#older.length ? titleOf(textOf(first)) || "Attachment" : "";
  }

  get isEmpty() {
    return this.turns.length === 0;
  }

  /**
   * Reads the session, and follows its run if it has one. `ended` is the end of a run of which the page misses events: a run that
   * reached a limit has no answer in its session, and is not followed again.
   */
  async load(ended = null) {
    if (this.isRunning) return;
    this.#stopWaiting();
    const session = await this.#api.session(this.id);
    if (this.isRunning) return;
    this.#leaveRun();
    this.title = session.title;
    this.#show(session);
    this.isLoaded = true;
    const last = this.turns.at(-1);
    const running = session.running ?? null;
    if (ended && !running && ended.runId === last?.runId && !last.isEnded && !session.interrupts.length) {
      last.isEnded = true;
      last.finish(ended.response);
    }
    if (running && running !== last?.runId) this.#add(new TurnView(this.#settings, this.#turnHooks())).runId = running;
    if (running) this.#follow(this.turns.at(-1), new Run(this.#api, this.#runOptions(running)));
    else if (session.interrupts.length) this.#wait(last, new Run(this.#api, this.#runOptions(last.runId)), session.interrupts);
    else if (last?.runId && last.message && !last.isEnded) this.#follow(last, new Run(this.#api, { ...this.#runOptions(last.runId), isReplayed: true }));
    else this.#showEditable();
    // The page that sent the first prompt may have been left before its end.
    if (!this.#run) this.#showNewTitle();
  }

  /** Comes back to a prompt that this tab had sent before a reload. */
  resume({ body, runId, isSent }) {
    const known = this.turns.find((turn) => turn.runId === runId);
    if (this.#run) return;
    if (known?.isEnded || (known && !body)) return pending.clear();
    if (!body) return pending.clear();
    const view = known ?? this.#newTurn(runId, body.prompt);
    this.#follow(view, new Run(this.#api, { ...this.#runOptions(runId), body, isSent }));
  }

  /** Sends a prompt: a text, and content blocks. Returns false if it can't be sent now. */
  send(text, blocks = []) {
    if (this.isRunning) return false;
    if (this.#waiting) {
      this.#hooks.onError(new Error("The agent waits for a reply to its request. Approve or deny that first, or edit your last message."));
      return false;
    }
    const prompt = blocks.length ? [...blocks, ...(text ? [{ text }] : [])] : text;
    const runId = newRunId();
    const body = { prompt, run_id: runId };
    if (this.id) body.session_id = this.id;
    else if (this.#hooks.isNew()) body.new_session = true;
    this.#leaveRun();
    this.#stopWaiting();
    this.#follow(this.#newTurn(runId, prompt), new Run(this.#api, { ...this.#runOptions(runId), body }));
    return true;
  }

  /** Stops the run. */
  stop() {
    if (!this.isRunning || this.#run.isCancelled) return;
    this.turns.at(-1)?.setWorking("Stopping");
    this.#run.cancel();
  }

  /** Follows a run that another tab has started, with its prompt. */
  followOther(runId, message) {
    const known = this.turns.find((turn) => turn.runId === runId);
    if (this.isRunning || !this.isLoaded || known?.isEnded) return;
    this.#leaveRun();
    this.#stopWaiting();
    const view = known ?? this.#add(new TurnView(this.#settings, this.#turnHooks()));
    view.runId = runId;
    if (message && !view.message) view.setPrompt(message);
    this.#follow(view, new Run(this.#api, this.#runOptions(runId)));
  }

  /** Leaves the page's part of everything; the run goes on. */
  leave() {
    this.#run?.leave();
    this.#stopWaiting();
  }

  /** Leaves a run that was cut off. */
  #leaveRun() {
    if (!this.#run) return;
    this.#run.leave();
    if (this.#run.body) pending.clear();
    this.#run = null;
    this.turns.at(-1)?.setNote(CUT_OFF, [], true);
  }

  #runOptions(runId) {
    return { runId, sessionId: this.id };
  }

  #turnHooks() {
    return { onEdit: (view) => this.#edit(view), onGrow: () => this.#hooks.onGrow(this) };
  }

  #show(session) {
    this.#older = turnsOf(session.messages);
    this.turns = this.#older.splice(-SHOWN_TURNS).map((turn) => this.#viewOf(turn));
    this.element.replaceChildren(...this.turns.map((view) => view.element));
    if (this.#older.length) this.element.prepend(this.#olderButton());
    this.#hooks.onGrow(this);
  }

  /** Returns the view of a stored turn. */
  #viewOf(turn) {
    const view = new TurnView(this.#settings, this.#turnHooks());
    view.runId = turn.runId;
    if (turn.prompt) view.setPrompt(turn.prompt);
    view.showMessages(turn.messages);
    view.isEnded = isEnded(turn);
    if (view.isEnded) view.finish();
    return view;
  }

  #olderButton() {
    const more = button(`Show ${this.#older.length} earlier`, () => {
      const views = this.#older.splice(0).map((turn) => this.#viewOf(turn));
      this.turns.unshift(...views);
      more.replaceWith(...views.map((view) => view.element));
      views[0].element.setAttribute("tabindex", "-1");
      views[0].element.focus({ preventScroll: true });
    }, { class: "older" });
    return more;
  }

  #add(view) {
    // To try an earlier turn again would remove this one.
    this.turns.at(-1)?.dropNoteButtons();
    this.turns.push(view);
    this.element.append(view.element);
    return view;
  }

  #newTurn(runId, prompt) {
    this.#showEditable(false);
    const view = this.#add(new TurnView(this.#settings, this.#turnHooks()));
    view.runId = runId;
    view.setPrompt({ role: "user", content: typeof prompt === "string" ? [{ text: prompt }] : prompt });
    return view;
  }

  #showEditable(isEditable = true) {
    const last = this.turns.at(-1);
    for (const turn of this.turns) turn.setEditable(isEditable && turn === last && !this.isRunning && Boolean(turn.message) && turn.canRepeat);
  }

  /** Follows a run to its end, and shows it. */
  async #follow(view, run, answers = null) {
    const isOwn = Boolean(run.body) && !answers;
    this.#run = run;
    view.isEnded = false;
    view.restartTimer();
    this.#showEditable(false);
    run.setHooks(this.#runHooks(view, run));
    if (isOwn) pending.set({ body: run.body, runId: run.id, sessionId: this.id, isSent: run.isAcknowledged });
    view.setWorking(STATES[run.isAcknowledged ? "streaming" : "sending"]);
    this.#hooks.onRunning(this);
    let end;
    try {
      end = await (answers ? run.answer(answers) : run.follow());
    } catch (error) {
      if (error.name === "AbortError") return;
      end = { kind: "failure", problem: error };
    }
    if (this.#run !== run) return;
    this.#run = null;
    if (isOwn) pending.clear();
    // The next prompt need not wait for what follows.
    this.#hooks.onRunning(this);
    if (answers && end.kind === "failure") {
      this.#hooks.onError(end.problem);
      await this.#reload();
    } else {
      await this.#ended(view, run, end);
    }
  }

  #runHooks(view, run) {
    let shown = null;
    return {
      onSession: (id) => {
        const isNew = this.id !== id;
        this.id = id;
        if (isNew) this.#hooks.onSession(this);
      },
      onAccepted: () => {
        if (run.body) pending.set({ body: run.body, runId: run.id, sessionId: this.id, isSent: true });
        this.#hooks.onRun(this, run.id, view.message);
      },
      onEvent: (event) => {
        view.apply(event);
        this.#hooks.onGrow(this);
      },
      onRestart: () => view.clear(),
      onState: (state, problem) => {
        if (run.isCancelled || (state === shown && state === "cut_off")) return;
        const isOtherwise = (shown === "cut_off") !== (state === "cut_off");
        shown = state;
        if (state === "cut_off") this.#cutOff(view, `${CUT_OFF} It may still come back.`);
        else if (state === "waiting") view.setWorking(problem.status === 429 ? "You have many requests; waiting" : "The service is busy; waiting");
        else if (state === "reconnecting" && navigator.onLine === false) view.setWorking("You are offline; waiting");
        else view.setWorking(STATES[state]);
        if (isOtherwise) this.#hooks.onRunning(this);
      },
    };
  }

  async #ended(view, run, end) {
    const { response } = end;
    if (end.kind === "result" && response?.interrupts?.length) {
      if (!end.isWhole) return this.#reload();
      await this.#giveTitle();
      this.#hooks.onChanged(this, !run.isReplayed);
      return this.#wait(view, run, response.interrupts);
    }
    if (end.kind === "result") {
      view.isEnded = true;
      if (!end.isWhole) return this.#reload(response && { runId: run.id, response }, !run.isReplayed);
      view.finish(response);
      announce(view.text ? `Answer: ${view.text.slice(0, 600)}` : "The answer is complete.");
      this.#showEditable();
      await this.#giveTitle();
      return this.#hooks.onChanged(this, !run.isReplayed);
    }
    if (end.kind === "busy") return this.#busy(view, run);
    if (end.kind === "nothing") return this.#reload();
    if (end.kind === "unfinished") return this.#cutOff(view, CUT_OFF);
    if (end.kind === "cancelled") {
      this.#refuse(view, run.body);
      return undefined;
    }
    return this.#failed(view, run, end);
  }

  /** Shows a failure, with a button to try again. */
  async #failed(view, run, { kind, problem }) {
    if (problem?.code === "interrupted" && run.body) {
      this.#refuse(view, run.body);
      return this.#reload();
    }
    if (problem?.code === "unknown_session") {
      view.setNote("This conversation was deleted.", [], true);
      return undefined;
    }
    const text = kind === "lost" ? "The answer was lost." : problem instanceof Problem ? sentence(problem) : "Something went wrong on this page.";
    if (!(problem instanceof Problem) && problem) this.#hooks.onError(problem);
    this.#cutOff(view, text);
    this.#hooks.onChanged(this, !run.isReplayed);
    return undefined;
  }

  /** Shows a turn without the end of its answer. */
  #cutOff(view, text) {
    view.cutOff();
    view.setNote(text, view.message && view.canRepeat ? [this.#retryButton(view)] : [], true);
    this.#showEditable();
    this.#showNewTitle();
  }

  #retryButton(view) {
    return button("Try again", () => this.#tryAgain(view), { class: "primary" });
  }

  /** Sends a prompt again, unless its answer has come meanwhile, from another process. */
  async #tryAgain(view) {
    this.#leaveRun();
    view.setWorking("Sending");
    const session = this.id ? await this.#api.session(this.id).catch(() => null) : null;
    if (this.#run) return view.setNote(CUT_OFF, [], true);
    const hasAnswer = session && turnsOf(session.messages).some((turn) => turn.runId === view.runId && isEnded(turn));
    return hasAnswer ? this.#reload() : this.#sendAgain(view, view.message);
  }

  /** The session has another run: of another tab, or of this prompt in another process. */
  async #busy(view, run) {
    if (!this.id) return this.#failed(view, run, { problem: new Problem({ detail: "The conversation is busy. Try again.", status: 409 }) });
    const session = await this.#api.session(this.id).catch(() => null);
    if (session?.messages.some((message) => message.tracking_id === run.id)) return this.#reload();
    if (run.body) this.#refuse(view, run.body);
    this.#hooks.onError(new Error("Another tab or device is using this conversation. Your message is kept."));
    if (session) await this.load().catch(this.#hooks.onError);
    return undefined;
  }

  /** Gives a prompt that was not accepted back to the user. */
  #refuse(view, body) {
    view.element.remove();
    this.turns = this.turns.filter((turn) => turn !== view);
    this.#hooks.onRefused(this, body);
    this.#showEditable();
  }

  async #reload(ended = null, isNews = true) {
    try {
      await this.load(ended);
      this.#hooks.onChanged(this, isNews);
    } catch (error) {
      this.#hooks.onError(error);
      const view = this.turns.at(-1);
      if (!view?.isWorking || this.#run) return;
      // Only the session has the end of the answer.
      const again = button("Try again", () => {
        view.setWorking("Loading");
        return this.#reload(ended, isNews);
      }, { class: "primary" });
      view.setNote("The end of the answer can't be loaded.", [again], true);
    }
  }

  async #edit(view) {
    const text = await view.edit();
    this.#showEditable();
    if (text === null || this.isRunning) return;
    const rest = view.message.content.filter((block) => block.text === undefined);
    await this.#sendAgain(view, { ...view.message, content: [...rest, { text }] });
  }

  /** Removes a prompt with all that follows, and sends another in its place. */
  async #sendAgain(view, message) {
    this.#leaveRun();
    this.#stopWaiting();
    view.setWorking("Sending");
    try {
      if (this.id && view.runId) await this.#api.rewind(this.id, view.runId);
    } catch (error) {
      // Nothing of it was stored.
      if (error.code !== "unknown_message" && error.code !== "unknown_session") {
        view.setNote(sentence(error), [this.#retryButton(view)], true);
        return;
      }
    }
    const index = this.turns.indexOf(view);
    for (const turn of this.turns.splice(index)) turn.element.remove();
    const blocks = message.content.filter((block) => block.text === undefined);
    this.send(textOf(message), blocks);
  }

  /** Waits for the replies to interrupts, of this user or of others. */
  async #wait(view, run, interrupts) {
    const waiting = (this.#waiting = new AbortController());
    run.isReplayed = false;
    view.showInterrupts(interrupts);
    const answer = (reply) => {
      this.#stopWaiting();
      this.#follow(view, run, [reply]);
    };
    view.setCards(interruptCards(interrupts, [], answer));
    this.#showEditable();
    announce("The agent waits for a reply.");
    const approvals = await this.#api.approvals(waiting.signal).then((list) => list.approvals, () => []);
    if (waiting.signal.aborted) return;
    const own = approvals.filter((approval) => approval.session_id === this.id);
    if (own.length) view.setCards(interruptCards(interrupts, own, answer));
    this.#hooks.onGrow(this);
    this.#poll(view, run, interrupts, waiting);
  }

  /** Looks for the end of the wait, less and less often. */
  async #poll(view, run, interrupts, waiting) {
    for (let attempt = 2; ; attempt += 1) {
      try {
        await pause(backoff(attempt, 8_000), waiting.signal);
        const session = await this.#api.session(this.id, waiting.signal);
        const ids = session.interrupts.map((interrupt) => interrupt.id);
        if (interrupts.every((interrupt) => ids.includes(interrupt.id))) continue;
      } catch (error) {
        if (waiting.signal.aborted) return;
        if (error.code === "unknown_session") return;
        continue;
      }
      if (waiting.signal.aborted || this.#run) return;
      this.#stopWaiting();
      // Someone has replied: the run goes on here, or in another process.
      this.#follow(view, run);
      return;
    }
  }

  #stopWaiting() {
    this.#waiting?.abort(new DOMException("done", "AbortError"));
    this.#waiting = null;
  }

  async #showNewTitle() {
    if (await this.#giveTitle()) this.#hooks.onChanged(this, true);
  }

  /** Names a conversation after its first prompt. Returns true if it has done that. */
  async #giveTitle() {
    const title = this.firstTitle;
    if (this.title || !this.id || !title) return false;
    try {
      this.title = (await this.#api.rename(this.id, title)).title;
      return true;
    } catch {
      // It has none until the next turn.
      return false;
    }
  }
}

function sentence(error) {
  const text = error.message.charAt(0).toUpperCase() + error.message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
