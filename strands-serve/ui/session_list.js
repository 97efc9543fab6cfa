// List of the sessions: search, open, rename, delete.

import { ask, confirm, el, icon, iconButton } from "./dom.js";

const SEARCH_DELAY_MS = 250;

function when(text) {
  if (!text) return "";
  const date = new Date(text);
  const isToday = date.toDateString() === new Date().toDateString();
  return date.toLocaleString([], isToday ? { hour: "2-digit", minute: "2-digit" } : { day: "numeric", month: "short" });
}

export class SessionList {
  #api;
  #hooks;
  #rows = el("ul", { class: "session-rows", "aria-label": "Conversations" });
  #note = el("p", { class: "muted session-note", role: "status" });
  #search;
  #timer;
  #loading = null;
  #current = null;
  #unread = new Set();

  /** Hooks: `onRenamed(session)`, `onDeleted(id)`, `onError(error)`. */
  constructor(api, hooks) {
    this.#api = api;
    this.#hooks = hooks;
    this.sessions = null;
    const search = () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.load(), SEARCH_DELAY_MS);
    };
    this.#search = el("input", { type: "search", id: "session-search", placeholder: "Search", "aria-label": "Search conversations", autocomplete: "off", oninput: search });
    this.#rows.addEventListener("keydown", (event) => this.#onKey(event));
    this.element = el("section", { class: "sessions", "aria-label": "Conversations" }, el("div", { class: "search" }, icon("search"), this.#search), this.#note, this.#rows);
  }

  /** Reads the list again. */
  async load() {
    this.#loading?.abort();
    const loading = (this.#loading = new AbortController());
    const query = this.#search.value.trim();
    try {
      const { sessions } = await this.#api.sessions(query, loading.signal);
      if (loading !== this.#loading) return;
      if (!query) this.sessions = sessions;
      this.#show(sessions, query);
    } catch (error) {
      if (!loading.signal.aborted) this.#note.textContent = "The conversations can't be loaded.";
      if (!loading.signal.aborted) this.#hooks.onError(error);
    }
  }

  /** Marks the session that is open. */
  select(id) {
    this.#current = id;
    this.#unread.delete(id);
    for (const row of this.#rows.children) this.#mark(row);
  }

  /** Marks a session that has a new answer. */
  markUnread(id) {
    if (id !== this.#current) this.#unread.add(id);
    for (const row of this.#rows.children) this.#mark(row);
  }

  #mark(row) {
    const id = row.dataset.id;
    const link = row.querySelector("a");
    if (id === this.#current) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
    row.querySelector(".unread").hidden = !this.#unread.has(id);
  }

  #show(sessions, query) {
    const focused = this.#rows.contains(document.activeElement) ? document.activeElement.closest("li")?.dataset.id : null;
    this.#rows.replaceChildren(...sessions.map((session) => this.#row(session)));
    this.#note.textContent = sessions.length ? "" : query ? "Nothing found." : "No conversations yet.";
    this.#rove(this.#rows.querySelector(`[aria-current]`) ?? this.#rows.querySelector("a"));
    if (focused) this.#focus(this.#indexOf(focused));
  }

  #row(session) {
    const title = session.title ?? "Conversation";
    const link = el("a", { href: `#/s/${encodeURIComponent(session.id)}`, tabindex: "-1" });
    link.append(
      el("span", { class: "session-title", dir: "auto" }, title),
      el(
        "span",
        { class: "session-facts" },
        el("time", { class: "session-time", datetime: session.updated_at ?? "" }, when(session.updated_at)),
        session.has_pending_interrupts ? el("span", { class: "badge" }, "Waiting") : "",
        el("span", { class: "unread", hidden: true }, el("span", { class: "visually-hidden" }, "New answer")),
      ),
    );
    const row = el("li", { "data-id": session.id, "data-title": title }, link);
    row.append(
      iconButton("edit", `Rename ${title}`, () => this.#rename(row), { class: "row-button", tabindex: "-1" }),
      iconButton("trash", `Delete ${title}`, () => this.#delete(row), { class: "row-button", tabindex: "-1" }),
    );
    this.#mark(row);
    return row;
  }

  /** One row is in the tab order, with its buttons; arrows move. */
  #rove(link) {
    const chosen = link?.closest("li");
    for (const row of this.#rows.children) {
      for (const part of row.querySelectorAll("a, button")) part.tabIndex = row === chosen ? 0 : -1;
    }
  }

  #indexOf(id) {
    return [...this.#rows.children].findIndex((row) => row.dataset.id === id);
  }

  #focus(index) {
    const rows = this.#rows.children;
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (!row) return this.#search.focus();
    const link = row.querySelector("a");
    this.#rove(link);
    link.focus();
  }

  #onKey(event) {
    const row = event.target.closest("li");
    const index = [...this.#rows.children].indexOf(row);
    const moves = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: this.#rows.children.length - 1 };
    if (event.key in moves) this.#focus(moves[event.key]);
    else if (event.key === "F2") this.#rename(row);
    else if (event.key === "Delete") this.#delete(row);
    else return;
    event.preventDefault();
  }

  async #rename(row) {
    const title = await ask("Rename conversation", "Title", row.dataset.title, "Rename");
    this.#focus(this.#indexOf(row.dataset.id));
    if (title === null) return;
    try {
      this.#hooks.onRenamed(await this.#api.rename(row.dataset.id, title));
      await this.load();
    } catch (error) {
      this.#hooks.onError(error);
    }
  }

  async #delete(row) {
    const { id, title } = row.dataset;
    if (!(await confirm("Delete conversation?", `“${title}” and its messages are removed for good.`, "Delete"))) {
      this.#focus(this.#indexOf(id));
      return;
    }
    const index = this.#indexOf(id);
    try {
      await this.#api.remove(id);
    } catch (error) {
      // Deleted in another tab.
      if (error.status !== 404) return this.#hooks.onError(error);
    }
    this.#hooks.onDeleted(id);
    await this.load();
    this.#focus(index);
  }
}
