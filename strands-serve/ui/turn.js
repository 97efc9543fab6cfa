// View of a turn: the prompt, and everything until its answer is complete.

import { attachment } from "./attachment.js";
import { el, icon, iconButton } from "./dom.js";
import { MarkdownStream } from "./markdown.js";
import { PromptView } from "./prompt_view.js";
import { Timeline } from "./timeline.js";
import { attachmentsOf, costOf, isMergedPrompt, textOf, usageOf } from "./transcript.js";

const NUMBER = new Intl.NumberFormat("en-US");
const SECONDS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });

/** Reasons for an end that a user should know. */
const STOPS = {
  cancelled: "Stopped.",
  max_tokens: "The answer reached the model's limit of length.",
  content_filtered: "The model's content filter ended the answer.",
  guardrail_intervened: "A guardrail ended the answer.",
  limit_turns: "The limit of steps was reached.",
  limit_output_tokens: "The limit of tokens was reached.",
  limit_total_tokens: "The limit of tokens was reached.",
  limit_duration: "The time limit was reached.",
};

export class TurnView {
  #settings;
  #prompt = new PromptView();
  #body = el("div", { class: "answer-body" });
  #status = el("div", { class: "turn-status" });
  #footer = el("footer", { class: "turn-footer" });
  /** Parts of the answer, in order; the last one grows. */
  #part = null;
  #timelines = [];
  #frame = null;
  /** Text of the parts with text. */
  #texts = [];
  #hasEvents = false;
  #startedAt = null;

  /** Hooks: `onEdit(view)`. */
  constructor(settings, hooks = {}) {
    this.#settings = settings;
    this.hooks = hooks;
    this.runId = null;
    this.messages = [];
    this.usage = null;
    /** False if the session can't be rewound to the prompt. */
    this.canRepeat = true;
    const answer = el("div", { class: "answer" }, el("h2", { class: "visually-hidden" }, settings.title), this.#body, this.#status, this.#footer);
    this.element = el("article", { class: "turn" }, this.#prompt.element, answer);
  }

  /** Text of the answer. */
  get text() {
    return this.#texts.map((part) => part.text).join("\n\n").trim();
  }

  get message() {
    return this.#prompt.message;
  }

  /** Shows the prompt of a message. */
  setPrompt(message) {
    if (message.isMerged) this.canRepeat = false;
    this.#prompt.show(message);
  }

  /** Offers to edit the prompt, or not. */
  setEditable(isEditable) {
    this.#prompt.setEditable(isEditable ? () => this.hooks.onEdit?.(this) : null);
  }

  /** Replaces the prompt by an editor. Resolves with the new text, or null. */
  edit() {
    return this.#prompt.edit();
  }

  /** Shows the stored messages of the answer. */
  showMessages(messages) {
    this.clear();
    this.messages = messages;
    let calls = [];
    const flush = () => {
      if (calls.length) this.#timeline().fromMessages(calls);
      calls = [];
    };
    for (const message of messages) {
      if (message.role === "assistant") {
        const reasoning = message.content.map((block) => block.reasoningContent?.reasoningText?.text ?? "").join("");
        const text = textOf(message);
        if (reasoning || text) flush();
        if (reasoning) this.#reasoning(reasoning);
        if (text) this.#text(text);
        for (const block of attachmentsOf(message)) this.#media(block);
      }
      if (message.content.some((block) => block.toolUse || block.toolResult)) {
        // Parts that follow the calls of another message begin a new timeline.
        if (message.role === "assistant" && calls.length === 0) this.#part = null;
        calls.push(message);
      }
    }
    flush();
    this.#render();
  }

  /** Removes the answer. */
  clear() {
    this.#timelines.forEach((timeline) => timeline.end());
    [this.#part, this.#timelines, this.#texts] = [null, [], []];
    this.#body.replaceChildren();
    this.#footer.replaceChildren();
    this.messages = [];
    this.#hasEvents = false;
  }

  /** Shows that no more events come, as far as is known. */
  cutOff() {
    for (const timeline of this.#timelines) timeline.end("unfinished");
  }

  /** Shows an event of the run. */
  apply(event) {
    this.#startedAt ??= Date.now();
    if (!this.#hasEvents) this.#begin(event);
    switch (event.type) {
      case "text_delta":
        return this.#text(event.text);
      case "reasoning_delta":
        return this.#reasoning(event.text);
      case "media":
        return this.#media(event.content);
      case "cycle_start":
        return this.#cycle();
      case "retry":
        this.#forTimelines(event);
        return event.discards_output && this.#discard();
      case "redacted":
        if (event.user && this.message) this.setPrompt({ ...this.message, content: [{ text: event.user }] });
        if (event.assistant) {
          this.#discard();
          this.#text(event.assistant);
        }
        return undefined;
      case "fallback":
        return this.#discard();
      case "message":
        return this.#onMessage(event);
      case "tool_use_start":
        return this.#timelineOf(event.tool_use_id).apply(event);
      case "tool_start":
      case "tool_progress":
      case "tool_end":
        return this.#timelineOf(event.tool_use.toolUseId).apply(event);
      case "node":
        return (this.#timelines.at(-1) ?? this.#timeline()).apply(event);
      default:
        return this.#forTimelines(event);
    }
  }

  /** The events of a run that starts replace what is stored of it; those of a run that is resumed follow it. */
  #begin(event) {
    if (event.type === "start" || event.type === "guardrail") return;
    this.#hasEvents = true;
    if (event.type === "cycle_start" && event.cycle === 1) this.clear();
    this.#hasEvents = true;
  }

  #onMessage(event) {
    const { message } = event;
    if (isMergedPrompt(message)) this.canRepeat = false;
    if (message.role === "user" && !message.content.some((block) => block.toolResult)) this.setPrompt(message);
    else this.messages = [...this.messages, message];
    this.#forTimelines(event);
  }

  #forTimelines(event) {
    for (const timeline of this.#timelines) timeline.apply(event);
  }

  #timelineOf(id) {
    return this.#timelines.find((timeline) => timeline.calls.has(id)) ?? this.#timeline();
  }

  /** Returns the last part if it is a timeline, or else a new one. */
  #timeline() {
    if (this.#part?.timeline) return this.#part.timeline;
    const timeline = new Timeline();
    this.#timelines.push(timeline);
    this.#part = { timeline };
    this.#body.append(timeline.element);
    return timeline;
  }

  #cycle() {
    // What comes now is void if the model's call is repeated.
    this.mark = { children: this.#body.childElementCount, texts: this.#texts.length, part: this.#part };
    if (!this.#part?.timeline) this.#part = null;
  }

  /** Removes the text of the current call of the model. */
  #discard() {
    const { children, texts, part } = this.mark ?? { children: 0, texts: 0, part: null };
    [...this.#body.children].slice(children).filter((child) => !child.matches(".timeline")).forEach((child) => child.remove());
    this.#texts.length = Math.min(texts, this.#texts.length);
    this.#part = part?.timeline ? part : null;
  }

  #text(text) {
    if (!this.#part?.isText) {
      const stream = new MarkdownStream();
      stream.element.classList.add("markdown");
      this.#part = { isText: true, text: "", stream };
      this.#texts.push(this.#part);
      this.#body.append(stream.element);
    }
    this.#part.text += text;
    this.#schedule();
  }

  #reasoning(text) {
    if (!this.#part?.isReasoning) {
      const content = el("p", { class: "reasoning-text" });
      this.#part = { isReasoning: true, text: "", content };
      this.#body.append(el("details", { class: "reasoning" }, el("summary", {}, "Reasoning"), content));
    }
    this.#part.content.append(text);
  }

  #media(block) {
    this.#part = null;
    this.#body.append(el("div", { class: "attachments" }, attachment(block)));
  }

  /** Renders text once for each frame, and less often if that takes long. */
  #schedule() {
    this.#frame ??= requestAnimationFrame(() => {
      this.#frame = null;
      const started = performance.now();
      this.#render();
      const took = performance.now() - started;
      if (took > 8) {
        this.#frame = 0;
        setTimeout(() => {
          this.#frame = null;
          this.#schedule();
        }, Math.min(1_000, took * 4));
      }
    });
  }

  #render() {
    for (const part of this.#texts) {
      if (part.shown === part.text) continue;
      part.shown = part.text;
      part.stream.update(part.text);
    }
    this.hooks.onGrow?.();
  }

  /** True while it shows that the agent works. */
  get isWorking() {
    return this.element.getAttribute("aria-busy") === "true";
  }

  /** Shows that the agent works. */
  setWorking(text) {
    this.element.setAttribute("aria-busy", "true");
    this.#status.replaceChildren(el("p", { class: "working" }, el("span", { class: "dots", "aria-hidden": "true" }, el("i"), el("i"), el("i")), text));
  }

  /** Shows a note below the answer, with buttons. */
  setNote(text, buttons = [], isError = false) {
    this.element.removeAttribute("aria-busy");
    const row = buttons.length ? el("div", { class: "note-buttons" }, ...buttons) : null;
    this.#status.replaceChildren(...(text ? [el("div", { class: isError ? "note error" : "note", role: isError ? "alert" : null }, el("p", {}, text), row)] : []));
  }

  /** Shows which calls wait, of a run that was suspended here or before the page was loaded. */
  showInterrupts(interrupts) {
    this.#forTimelines({ type: "interrupt", interrupts });
  }

  /** Removes the buttons of the note. */
  dropNoteButtons() {
    this.#status.querySelector(".note-buttons")?.remove();
  }

  /** Shows elements below the answer, such as cards. */
  setCards(cards) {
    this.element.removeAttribute("aria-busy");
    this.#status.replaceChildren(...cards);
  }

  /** Shows the end: of a run whose result has come, or of stored messages. */
  finish(response = null) {
    this.#render();
    if (response) {
      this.#forTimelines({ type: "result", response });
      if (!this.text) {
        const text = textOf(response.message);
        if (text) this.#text(text);
        this.#render();
      }
    }
    const reason = STOPS[response?.stop_reason];
    this.setNote(reason ?? (this.#body.hasChildNodes() || this.messages.length === 0 ? "" : "The agent gave no answer."));
    this.usage = { ...usageOf(this.messages), ...(this.#startedAt && response ? { latencyMs: Date.now() - this.#startedAt } : {}) };
    this.usage.cost = costOf(this.usage, this.#settings.prices);
    this.#showFooter();
  }

  /** Restarts the measured time. */
  restartTimer() {
    this.#startedAt = Date.now();
  }

  #showFooter() {
    const { inputTokens, outputTokens, cachedTokens, latencyMs, cost } = this.usage;
    const facts = [];
    const tokens = inputTokens + outputTokens + cachedTokens;
    if (tokens) facts.push(`${NUMBER.format(tokens)} tokens`);
    if (latencyMs >= 50) facts.push(`${SECONDS.format(latencyMs / 1000)} s`);
    if (tokens && cost !== null) facts.push(money(cost));
    const copy = this.text ? copyButton(() => this.text) : null;
    this.#footer.replaceChildren(...[copy, facts.length ? el("span", { class: "facts" }, facts.join(" · ")) : null].filter(Boolean));
  }
}

function money(cost) {
  if (cost > 0 && cost < 0.0001) return "< $0.0001";
  const digits = cost > 0 && cost < 0.01 ? 4 : 2;
  return new Intl.NumberFormat("en-US", { style: "currency", currency: "USD", maximumFractionDigits: digits }).format(cost);
}

function copyButton(text) {
  const control = iconButton("copy", "Copy answer", async () => {
    try {
      await navigator.clipboard.writeText(text());
      control.replaceChildren(icon("approve"));
      control.title = "Copied";
    } catch {
      control.title = "The browser did not allow it";
    }
    control.setAttribute("aria-label", control.title);
    setTimeout(() => {
      control.replaceChildren(icon("copy"));
      control.title = "Copy answer";
      control.setAttribute("aria-label", control.title);
    }, 2_000);
  });
  return control;
}
