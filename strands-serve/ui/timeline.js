// Timeline of the tool calls of a run, from the JSON of `AgentEvent`s or from stored messages.

import { element } from "./elements.js";
import { Call } from "./timeline/call.js";
import { resultText } from "./timeline/results.js";
import { agentLabel } from "./timeline/values.js";

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
    /** Invocations of nested agents. @type {{name: string, timeline: Timeline, caller: Call | null, isOpen: boolean}[]} */
    this.nodes = [];
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
    for (const node of this.nodes) endNode(node, status);
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
    for (const node of this.nodes) if (node.caller === call) endNode(node, "unfinished");
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
    const open = this.nodes.filter((node) => node.name === name && node.isOpen);
    const isOfInvocation = rest.length === 0;
    // Concurrent invocations of one agent have the same path: their calls have different ids, and they end with their callers.
    if (isOfInvocation && event?.type === "result" && open.length > 1) return;
    const id = event?.tool_use?.toolUseId ?? event?.tool_use_id;
    let node = open.find(({ timeline }) => timeline.calls.has(id)) ?? open.at(-1);
    if (isOfInvocation && event?.type === "start") node = this.addNode(name);
    node ??= hasCalls(event) ? this.addNode(name) : null;
    if (!node) return;
    node.timeline.apply(isOfInvocation ? event : { type: "node", path: rest, event });
    if (isOfInvocation && event.type === "result") node.isOpen = false;
  }

  addNode(name) {
    const timeline = new Timeline(this.depth + 1);
    timeline.element.setAttribute("aria-label", `Tool calls of ${agentLabel(name)}`);
    const running = [...this.calls.values()].filter(({ status }) => status === "running");
    const free = running.filter((call) => !this.nodes.some(({ caller, isOpen }) => isOpen && caller === call));
    const caller = free.find(({ tool }) => tool === name) ?? (running.length === 1 ? running[0] : null);
    const entry = element(caller ? "div" : "li", "node");
    if (caller?.tool !== name) entry.append(element("p", "node-name", agentLabel(name)));
    entry.append(timeline.element);
    (caller?.element ?? this.element).append(entry);
    const node = { name, timeline, caller, isOpen: true };
    this.nodes.push(node);
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

function endNode(node, status) {
  node.isOpen = false;
  node.timeline.end(status);
}

function hasCalls(event) {
  return ["tool_use_start", "tool_start", "tool_progress", "tool_end"].includes(event?.type);
}

function statusOf(call, result, isLive) {
  if (result?.status !== "error") return "done";
  const text = resultText(result);
  if (DENIED.test(text)) return "denied";
  if (text === CANCELLED) return "cancelled";
  // A live call without a start never ran: a policy denied it with a reason of its own, or its arguments are invalid.
  return isLive && call.startedAt === null ? "refused" : "failed";
}
