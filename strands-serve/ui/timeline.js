// Timeline of the tool calls of a run, from the JSON of `AgentEvent`s or from stored messages.

import { element } from "./elements.js";
import { Call } from "./timeline/call.js";
import { resultText } from "./timeline/results.js";
import { toolLabel } from "./timeline/values.js";

/** Nodes nest at most this deep; the names of deeper ones are joined. */
const MAX_DEPTH = 8;
const TICK = 1000;
/** Texts of results for calls that a human, a policy or an approval rule denied. */
const DENIED =
  /^(a human denied the call|this call is not allowed|this call could not be authorized|no role may approve this call|the approval of this call is void)/;
const CANCELLED = "Tool execution cancelled";
const INTERRUPTED_CALL = /^v1:(?:before_)?tool_call:(.+):[^:]+$/;

export class Timeline {
  /** @param {number} depth Depth of the node with these calls; 0 for the run itself. */
  constructor(depth = 0) {
    /** The list. It is empty until the first call. @type {HTMLOListElement} */
    this.element = element("ol", "timeline");
    this.element.setAttribute("aria-label", "Tool calls");
    this.depth = depth;
    /** @type {Map<string, Call>} */
    this.calls = new Map();
    /** @type {Map<string, Timeline>} */
    this.nodes = new Map();
    this.timer = null;
  }

  /**
   * Shows an event. Events of other types, and of unknown ones, have no effect.
   *
   * @param {{type: string}} event
   */
  apply(event) {
    switch (event?.type) {
      case "tool_use_start":
        this.call(event.tool_use_id, event.name);
        break;
      case "tool_use_delta":
        this.calls.get(event.tool_use_id)?.addInput(event.input);
        break;
      case "message":
        this.complete(event.message);
        break;
      case "retry":
        if (event.discards_output) this.discard();
        break;
      case "tool_start":
        this.use(event.tool_use).start(Date.now());
        this.runTimer();
        break;
      case "tool_progress":
        this.use(event.tool_use).setProgress(event.data);
        break;
      case "tool_end":
        this.finish(this.use(event.tool_use), event.result, event.duration_ms ?? 0);
        break;
      case "interrupt":
        this.interrupt(event.interrupts);
        break;
      case "result":
        this.end(event.response?.stop_reason === "cancelled" ? "cancelled" : "unfinished");
        break;
      case "node":
        this.node(event.path, event.event);
        break;
    }
  }

  /**
   * Adds the calls in stored messages.
   *
   * @param {{content?: object[]}[]} messages
   * @returns {this}
   */
  fromMessages(messages) {
    for (const message of messages) {
      for (const { toolUse } of message.content ?? []) {
        if (toolUse) this.use(toolUse);
      }
      this.complete(message);
    }
    for (const call of this.calls.values()) if (call.isOpen) call.abandon("unfinished");
    return this;
  }

  /**
   * Ends the calls that still run, since no more events come: after a stop, or a lost connection.
   *
   * @param {"cancelled" | "unfinished"} status
   */
  end(status = "unfinished") {
    for (const call of this.calls.values()) if (call.isOpen) call.abandon(status);
    for (const node of this.nodes.values()) node.end(status);
    this.stopTimer();
  }

  call(id, name) {
    let call = this.calls.get(id);
    if (!call) {
      call = new Call(name);
      this.calls.set(id, call);
      this.element.append(call.element);
    }
    return call;
  }

  use({ toolUseId, name, input }) {
    const call = this.call(toolUseId, name);
    if (call.tool !== name) call.setName(name);
    const text = JSON.stringify(input);
    if (call.inputText !== text) {
      call.inputText = text;
      call.setInput(input);
    }
    return call;
  }

  /** Completes known calls with the arguments and results in a message. */
  complete(message) {
    for (const { toolUse, toolResult } of message?.content ?? []) {
      if (toolUse && this.calls.has(toolUse.toolUseId)) this.use(toolUse);
      const call = toolResult && this.calls.get(toolResult.toolUseId);
      // A call that was cut off has no event of its end.
      if (call && (call.isOpen || call.status === "waiting")) this.finish(call, toolResult);
    }
  }

  finish(call, result, duration) {
    call.end(statusOf(call, result, duration !== undefined), result, duration);
    if (![...this.calls.values()].some(({ status }) => status === "running")) this.stopTimer();
  }

  /** Removes the calls of a model's output that is void. */
  discard() {
    for (const [id, call] of this.calls) {
      if (call.status !== "preparing") continue;
      call.element.remove();
      this.calls.delete(id);
    }
  }

  interrupt(interrupts) {
    for (const { id, reason } of interrupts ?? []) {
      const call = this.calls.get(reason?.tool_use_id ?? INTERRUPTED_CALL.exec(id)?.[1]);
      if (call) call.abandon("waiting");
    }
  }

  /** Applies an event of a nested agent, whose calls are shown below the call that runs it. */
  node(path, event) {
    const isDeepest = this.depth >= MAX_DEPTH;
    const [name, ...rest] = isDeepest ? [path.join(" / ")] : path;
    let node = this.nodes.get(name);
    if (!node) {
      if (!hasCalls(event)) return;
      node = this.addNode(name);
    }
    node.apply(rest.length ? { type: "node", path: rest, event } : event);
  }

  addNode(name) {
    const node = new Timeline(this.depth + 1);
    node.element.setAttribute("aria-label", `Tool calls of ${toolLabel(name)}`);
    this.nodes.set(name, node);
    const running = [...this.calls.values()].filter(({ status }) => status === "running");
    const caller = running.find(({ tool }) => tool === name) ?? (running.length === 1 ? running[0] : null);
    const title = element("p", "node-name", toolLabel(name));
    const parent = caller?.element ?? element("li");
    parent.append(...(caller?.tool === name ? [] : [title]), node.element);
    if (!caller) this.element.append(parent);
    return node;
  }

  runTimer() {
    this.timer ??= setInterval(() => {
      for (const call of this.calls.values()) if (call.status === "running") call.tick(Date.now());
    }, TICK);
  }

  stopTimer() {
    clearInterval(this.timer);
    this.timer = null;
  }
}

function hasCalls(event) {
  return event?.type.startsWith("tool_") && event.type !== "tool_refresh_failed";
}

function statusOf(call, result, isLive) {
  if (result?.status !== "error") return "done";
  const text = resultText(result);
  if (DENIED.test(text)) return "denied";
  if (text === CANCELLED) return "cancelled";
  // A live call without a start never ran: a policy denied it with a reason of its own, or its arguments are invalid.
  return isLive && call.startedAt === null ? "refused" : "failed";
}
