// Elements: built node by node, so that no text ever becomes markup.

const SVG = "http://www.w3.org/2000/svg";

// Shapes of 24 by 24, drawn with lines.
const ICONS = {
  approve: "M20 6 9 17l-5-5",
  arrowDown: "M12 5v14M6 13l6 6 6-6",
  attach: "M21 11.5 12.5 20a5.5 5.5 0 0 1-7.8-7.8l8.6-8.6a3.7 3.7 0 0 1 5.2 5.2l-8.6 8.6a1.8 1.8 0 0 1-2.6-2.6l7.9-7.8",
  chart: "M5 20V11M12 20V4M19 20v-6",
  close: "M6 6l12 12M18 6 6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  document: "M14 3H6v18h12V7zM14 3v4h4M9 12h6M9 16h6",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  menu: "M4 7h16M4 12h16M4 17h16",
  plus: "M12 5v14M5 12h14",
  retry: "M20 11a8 8 0 1 0-2.3 6.3M20 4v7h-7",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20 20l-4-4",
  send: "M12 19V5M6 11l6-6 6 6",
  shield: "M12 3l7 3v5c0 5-3 8-7 10-4-2-7-5-7-10V6zM9 12l2 2 4-4",
  signOut: "M14 4h5v16h-5M10 16l-4-4 4-4M6 12h9",
  stop: "M7 7h10v10H7z",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13",
};

/** Creates an element. Properties: attributes, `class`, `on…` listeners, and DOM properties of `props`. */
export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "props") Object.assign(node, value);
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

/** Creates an icon, which screen readers skip. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Creates a button with an icon alone; the label is for screen readers, and a tooltip. */
export function iconButton(name, label, onclick, more = {}) {
  const classes = `icon-button ${more.class ?? ""}`.trim();
  return el("button", { type: "button", title: label, "aria-label": label, onclick, ...more, class: classes }, icon(name));
}

/** Creates a button with a text. */
export function button(label, onclick, more = {}) {
  const classes = `button ${more.class ?? ""}`.trim();
  return el("button", { type: "button", onclick, ...more, class: classes }, label);
}

let announcer;

/** Tells screen readers a text, after what they are reading. */
export function announce(text) {
  announcer ??= document.body.appendChild(el("div", { class: "visually-hidden", role: "status", "aria-live": "polite" }));
  announcer.textContent = "";
  // A change that follows later is read even if the text is the same.
  setTimeout(() => (announcer.textContent = text), 50);
}

/** Shows a modal dialog until it is closed, and resolves with the value of the button that closed it; "" for Escape. */
export function modal(dialog) {
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue);
    });
  });
}

/** Asks for a confirmation. */
export async function confirm(title, text, action) {
  const dialog = el("dialog", { class: "dialog", "aria-labelledby": "dialog-title" });
  dialog.append(
    el("h2", { id: "dialog-title" }, title),
    el("p", {}, text),
    el("div", { class: "dialog-buttons" }, button("Cancel", () => dialog.close("")), button(action, () => dialog.close("yes"), { class: "danger" })),
  );
  return (await modal(dialog)) === "yes";
}

/** Asks for a text. Returns null if the user gave none. */
export async function ask(title, label, value, action, maxlength = 200) {
  const dialog = el("dialog", { class: "dialog", "aria-labelledby": "dialog-title" });
  const input = el("input", { id: "dialog-input", maxlength, autocomplete: "off", props: { value } });
  const submit = (event) => {
    event.preventDefault();
    if (input.value.trim()) dialog.close("yes");
  };
  const form = el("form", { onsubmit: submit });
  form.append(
    el("h2", { id: "dialog-title" }, title),
    el("label", { for: "dialog-input" }, label),
    input,
    el("div", { class: "dialog-buttons" }, button("Cancel", () => dialog.close("")), el("button", { type: "submit", class: "button primary" }, action)),
  );
  dialog.append(form);
  const closed = modal(dialog);
  input.select();
  return (await closed) === "yes" ? input.value.trim() : null;
}
