// The field for the prompt: draft, attachments, send and stop.

import { el, icon, iconButton } from "./dom.js";

const DRAFT_DELAY_MS = 200;
const TYPES = {
  images: { "image/png": "png", "image/jpeg": "jpeg", "image/gif": "gif", "image/webp": "webp" },
  pdf: { "application/pdf": "pdf" },
};

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function size(bytes) {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Name of a document for the model: providers take letters, digits, spaces, hyphens, and brackets. */
function documentName(name) {
  return name.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9 \-()[\]]+/g, " ").replace(/ +/g, " ").trim().slice(0, 100) || "document";
}

export class Composer {
  #hooks;
  #types;
  #maxBytes;
  #files = [];
  #timer;
  #isRunning = false;
  #field;
  #chips = el("ul", { class: "chips", "aria-label": "Attachments", hidden: true });
  #note = el("p", { class: "composer-note", role: "alert" });
  #send;
  #stop;

  /** Hooks: `onSend(text, blocks)`, which returns false if it is refused, `onStop()`, `onDraft(text)`. */
  constructor(settings, hooks) {
    this.#hooks = hooks;
    this.#types = Object.assign({}, ...settings.attachments.map((kind) => TYPES[kind] ?? {}));
    this.#maxBytes = settings.max_attachment_bytes;
    this.#field = el("textarea", { id: "prompt", rows: 1, placeholder: `Message ${settings.title}`, "aria-label": "Message", enterkeyhint: "send", dir: "auto" });
    this.#field.addEventListener("input", () => this.#changed());
    this.#field.addEventListener("keydown", (event) => this.#onKey(event));
    this.#field.addEventListener("paste", (event) => this.#take(event.clipboardData?.files, event));
    this.#send = el("button", { type: "submit", class: "icon-button send", "aria-label": "Send", title: "Send" }, icon("send"));
    this.#stop = iconButton("stop", "Stop", () => this.#hooks.onStop(), { class: "send stop", hidden: true });
    this.element = el("form", { class: "composer", "aria-label": "New message" }, this.#chips, this.#field);
    const tools = el("div", { class: "composer-tools" });
    if (Object.keys(this.#types).length) tools.append(...this.#attachControls());
    tools.append(el("span", { class: "composer-space" }), this.#stop, this.#send);
    this.element.append(tools, this.#note);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#changed();
  }

  get text() {
    return this.#field.value;
  }

  focus() {
    this.#field.focus();
  }

  /** Shows a draft. */
  setText(text) {
    this.#field.value = text;
    this.#changed();
  }

  /** Puts a prompt back that was not sent. */
  restore(text, files = []) {
    if (text && !this.text.includes(text)) this.setText(this.text ? `${text}\n\n${this.text}` : text);
    this.#files = [...files, ...this.#files];
    this.#showFiles();
    this.#hooks.onDraft(this.text);
  }

  setRunning(isRunning) {
    const hadFocus = document.activeElement === this.#stop || document.activeElement === this.#send;
    this.#isRunning = isRunning;
    this.#stop.hidden = !isRunning;
    this.#send.hidden = isRunning;
    if (hadFocus) this.focus();
    this.#changed();
  }

  /** Writes the draft now, such as before the page is left. */
  flush() {
    clearTimeout(this.#timer);
    this.#hooks.onDraft(this.text);
  }

  #changed() {
    this.#send.disabled = !this.text.trim() && this.#files.length === 0;
    // Browsers without `field-sizing` need the height.
    if (!CSS.supports("field-sizing", "content")) {
      this.#field.style.height = "auto";
      this.#field.style.height = `${Math.min(this.#field.scrollHeight, 240)}px`;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.flush(), DRAFT_DELAY_MS);
  }

  #onKey(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Enter" && !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Escape" && this.#isRunning) {
      event.preventDefault();
      this.#hooks.onStop();
    }
  }

  #submit() {
    if (this.#isRunning || this.#send.disabled) return;
    const [text, files] = [this.text.trim(), this.#files];
    const blocks = files.map((file) => file.block);
    if (this.#hooks.onSend(text, blocks) === false) return;
    this.#files = [];
    this.#showFiles();
    this.setText("");
    this.#note.textContent = "";
    this.flush();
  }

  #attachControls() {
    const input = el("input", { type: "file", multiple: true, accept: Object.keys(this.#types).join(","), hidden: true, tabindex: "-1", "aria-hidden": "true" });
    input.addEventListener("change", () => {
      this.#take(input.files);
      input.value = "";
    });
    const drag = (event) => {
      if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
      event.preventDefault();
      this.element.classList.toggle("dropping", event.type === "dragover");
      if (event.type === "drop") this.#take(event.dataTransfer.files);
    };
    for (const type of ["dragover", "dragleave", "drop"]) document.addEventListener(type, drag);
    return [input, iconButton("attach", "Attach files", () => input.click())];
  }

  async #take(list, event) {
    // The list empties with its field.
    const files = [...(list ?? [])];
    if (!files.length || !Object.keys(this.#types).length) return;
    event?.preventDefault();
    this.#note.textContent = "";
    for (const file of files) {
      const format = this.#types[file.type];
      const total = this.#files.reduce((sum, other) => sum + other.size, file.size);
      if (!format) this.#note.textContent = `${file.name}: this kind of file can't be attached.`;
      else if (total > this.#maxBytes) this.#note.textContent = `${file.name}: all files together may have ${size(this.#maxBytes)}.`;
      else await this.#add(file, format);
    }
    this.focus();
  }

  async #add(file, format) {
    try {
      const source = { bytes: await base64(file) };
      const block = format === "pdf" ? { document: { format, name: this.#unique(documentName(file.name)), source } } : { image: { format, source } };
      this.#files.push({ name: file.name, size: file.size, block });
      this.#showFiles();
    } catch {
      this.#note.textContent = `${file.name} can't be read.`;
    }
  }

  /** Two documents of a prompt must not have the same name. */
  #unique(name) {
    const names = this.#files.map((file) => file.block.document?.name);
    for (let number = 2, unique = name; ; number += 1) {
      if (!names.includes(unique)) return unique;
      unique = `${name} ${number}`;
    }
  }

  #showFiles() {
    this.#chips.hidden = this.#files.length === 0;
    this.#chips.replaceChildren(
      ...this.#files.map((file) =>
        el("li", { class: "chip" }, icon("document"), el("span", { dir: "auto" }, file.name), el("span", { class: "muted" }, size(file.size)), iconButton("close", `Remove ${file.name}`, () => {
          this.#files = this.#files.filter((other) => other !== file);
          this.#showFiles();
          this.focus();
        })),
      ),
    );
    this.#changed();
  }
}
