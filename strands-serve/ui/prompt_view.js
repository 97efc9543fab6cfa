// View of a prompt, which can be edited in place.

import { attachment } from "./attachment.js";
import { button, el, iconButton } from "./dom.js";
import { attachmentsOf, textOf } from "./transcript.js";

export class PromptView {
  #tools = el("div", { class: "prompt-tools" });

  constructor() {
    this.message = null;
    this.element = el("div", { class: "prompt" });
  }

  show(message) {
    this.message = message;
    const text = textOf(message);
    const parts = attachmentsOf(message).map(attachment);
    const bubble = el("div", { class: "bubble" });
    if (parts.length) bubble.append(el("ul", { class: "attachments", "aria-label": "Attachments" }, ...parts.map((part) => el("li", {}, part))));
    if (text) bubble.append(el("p", { class: "prompt-text", dir: "auto" }, text));
    this.element.replaceChildren(el("h2", { class: "visually-hidden" }, "You"), bubble, this.#tools);
  }

  /** Offers to edit the prompt; `null` does not. */
  setEditable(onEdit) {
    if (this.#tools.hasChildNodes() === Boolean(onEdit)) return;
    this.#tools.replaceChildren(...(onEdit ? [iconButton("edit", "Edit and send again", onEdit)] : []));
  }

  /** Shows an editor. Resolves with the new text, or null. */
  edit() {
    return new Promise((resolve) => {
      const field = el("textarea", { "aria-label": "Edit message", rows: 3, dir: "auto", props: { value: textOf(this.message) } });
      const end = (text) => {
        this.show(this.message);
        this.#tools.querySelector("button")?.focus();
        resolve(text);
      };
      const send = () => field.value.trim() && end(field.value.trim());
      field.addEventListener("keydown", (event) => {
        if (event.isComposing) return;
        if (event.key === "Escape") end(null);
        else if (event.key === "Enter" && !event.shiftKey) send();
        else return;
        event.preventDefault();
        event.stopPropagation();
      });
      const buttons = el("div", { class: "dialog-buttons" }, button("Cancel", () => end(null)), button("Send", send, { class: "primary" }));
      this.element.replaceChildren(el("div", { class: "prompt-editor" }, field, buttons));
      field.focus();
      field.setSelectionRange(field.value.length, field.value.length);
    });
  }
}
