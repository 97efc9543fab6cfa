// Element of one tool call: a line with name, status and duration, and folded details.

import { element } from "../elements.js";
import { resultElements } from "./results.js";
import { statusIcon } from "./status_icon.js";
import { boundedText, briefArguments, durationText, fieldList, note, preformatted, visibleText } from "./values.js";

/** Text of each status. */
export const STATUS = {
  preparing: "Preparing",
  running: "Running",
  waiting: "Waiting for approval",
  done: "Done",
  failed: "Failed",
  denied: "Denied",
  refused: "Not run",
  cancelled: "Cancelled",
  unfinished: "Not finished",
};
/** Characters of streamed arguments that are shown. */
const MAX_STREAMED = 20_000;

export class Call {
  /** @param {string} name Name of the tool. */
  constructor(name) {
    this.status = "preparing";
    this.startedAt = null;
    this.element = element("li", "call");
    const details = this.element.appendChild(element("details"));
    const summary = details.appendChild(element("summary"));
    this.icon = element("span", "call-icon");
    this.icon.setAttribute("aria-hidden", "true");
    // As it is: made into words, `todays_date` reads as a mistake.
    this.name = element("code", "call-name");
    this.brief = element("span", "call-brief");
    this.progress = element("span", "call-progress");
    this.statusText = element("span", "call-status");
    this.duration = element("span", "call-duration");
    summary.append(this.icon, this.name, " ", this.brief, " ", this.progress, " ", this.statusText, " ", this.duration);
    const body = details.appendChild(element("div", "call-body"));
    this.input = section(body, "Arguments");
    this.log = section(body, "Progress");
    this.result = section(body, "Result");
    this.setName(name);
    this.setStatus("preparing");
  }

  get isOpen() {
    return this.status === "preparing" || this.status === "running";
  }

  setName(name) {
    this.tool = name;
    this.name.title = this.name.textContent = visibleText(String(name)) || "tool";
  }

  setStatus(status) {
    this.status = status;
    this.element.dataset.status = status;
    this.statusText.textContent = STATUS[status];
    this.icon.replaceChildren(statusIcon(status));
    if (!this.isOpen) this.progress.replaceChildren();
  }

  /** Shows a chunk of streamed arguments. */
  addInput(chunk) {
    if (!this.streamed) {
      this.streamed = document.createTextNode("");
      const block = preformatted("");
      block.append(this.streamed);
      show(this.input, [block]);
    }
    const left = MAX_STREAMED - this.streamed.length;
    if (left > 0) this.streamed.appendData(visibleText(chunk).slice(0, left));
  }

  setInput(input) {
    this.streamed = null;
    this.brief.textContent = briefArguments(input);
    show(this.input, [fieldList(input)]);
  }

  start(now) {
    this.startedAt = now;
    this.setStatus("running");
  }

  /** Shows the time since the start. */
  tick(now) {
    const elapsed = now - this.startedAt;
    if (elapsed >= 1000) this.duration.textContent = durationText(Math.floor(elapsed / 1000) * 1000);
  }

  /**
   * Shows progress: a number, a text, an object with `progress`, `total` and `message`, or other JSON.
   *
   * @param {unknown} data
   */
  setProgress(data) {
    const { progress, total, message } = typeof data === "number" ? { progress: data } : data ?? {};
    const text = typeof data === "string" ? data : typeof message === "string" ? message : "";
    const shown = [];
    if (Number.isFinite(progress) && Number.isFinite(total) && total > 0) {
      const bar = element("progress");
      bar.max = total;
      bar.value = Math.min(progress, total);
      bar.setAttribute("aria-label", `Progress of ${this.name.textContent}`);
      shown.push(bar);
    } else if (Number.isFinite(progress)) {
      shown.push(String(progress));
    }
    const line = visibleText(text.replace(/\s+/g, " "));
    if (line) shown.push(line.slice(0, 200));
    this.progress.replaceChildren(...shown);
    const isKnown = text !== "" || Number.isFinite(progress);
    show(this.log, isKnown ? [note(visibleText(boundedText(text)) || String(progress))] : [fieldList(data)]);
  }

  /**
   * Ends the call.
   *
   * @param {"done" | "failed" | "denied" | "refused" | "cancelled"} status
   * @param {object} result
   * @param {number} [duration] In milliseconds.
   */
  end(status, result, duration) {
    this.setStatus(status);
    show(this.result, resultElements(result));
    const ran = this.startedAt !== null && Number.isFinite(duration);
    this.duration.textContent = ran ? durationText(duration) : "";
  }

  /** Ends a call that has no result. */
  abandon(status) {
    this.setStatus(status);
    this.duration.textContent = "";
  }
}

function section(parent, title) {
  const created = element("div", "call-section");
  created.hidden = true;
  created.append(element("p", "call-label", title), element("div"));
  parent.append(created);
  return created;
}

function show(part, content) {
  part.hidden = false;
  part.lastChild.replaceChildren(...content);
}
