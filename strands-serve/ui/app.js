// The chat page: its parts, and what connects them.

import { Api } from "./api.js";
import { bytesOf } from "./attachment.js";
import { usageChart } from "./chart.js";
import { Composer } from "./composer.js";
import { Conversation } from "./conversation.js";
import { button, el, icon, iconButton, modal } from "./dom.js";
import { Inbox } from "./inbox.js";
import { ScrollFollower } from "./scroll.js";
import { SessionList } from "./session_list.js";
import { SignIn } from "./sign_in.js";
import { signInAgain, signInScreen } from "./sign_in_view.js";
import { drafts, ownPage, pending, storagePrefix } from "./storage.js";
import { Tabs } from "./tabs.js";

const root = document.getElementById("app");
const NARROW = matchMedia("(max-width: 52rem)");

class App {
  #settings;
  #signIn;
  #api;
  #list;
  #inbox;
  #composer;
  #tabs = new Tabs();
  /** Conversations that are open or have a run, by id; `null` is the new one. */
  #conversations = new Map();
  #current = null;
  #title = el("h1", { class: "page-title", dir: "auto" });
  #scroll = new ScrollFollower();
  #notices = el("div", { class: "notices" });
  #parts = {};

  constructor(settings, signIn) {
    this.#settings = settings;
    this.#signIn = signIn;
    this.#api = new Api(signIn);
  }

  start() {
    this.#list = new SessionList(this.#api, {
      onRenamed: (session) => this.#onRenamed(session),
      onDeleted: (id) => this.#onDeleted(id),
      onError: (error) => this.#notice(error.message),
    });
    this.#inbox = new Inbox(this.#api, (count) => this.#showCount(count));
    this.#composer = new Composer(this.#settings, {
      onSend: (text, blocks) => this.#send(text, blocks),
      onStop: () => this.#current?.stop(),
      onDraft: (text) => drafts.set(this.#current?.id ?? null, text),
    });
    this.#build();
    this.#listen();
    this.#list.load().then(() => this.#renderEmpty());
    this.#inbox.load();
    const sent = pending.get();
    if (sent) this.#resume(sent);
    else this.#route();
  }

  #build() {
    const menu = iconButton("menu", "Conversations", () => this.#toggleSidebar(true), { class: "menu-button", "aria-expanded": "false", "aria-controls": "sidebar" });
    const usage = iconButton("chart", "Usage", () => this.#showUsage());
    const approvals = el("a", { href: "#/approvals", class: "nav-link" }, icon("shield"), "Approvals", el("span", { class: "count", hidden: true }));
    const fresh = el("a", { href: "#/new", class: "nav-link new-chat" }, icon("plus"), "New conversation");
    const user = el("footer", { class: "user" });
    if (this.#signIn.isNeeded) {
      user.append(el("span", { class: "user-name", dir: "auto" }, this.#signIn.userName ?? "Signed in"), iconButton("signOut", "Sign out", () => this.#signOut()));
    }
    const close = iconButton("close", "Close", () => this.#toggleSidebar(false), { class: "close-sidebar" });
    const sidebar = el("nav", { id: "sidebar", class: "sidebar", "aria-label": "Conversations and approvals" });
    sidebar.append(el("div", { class: "brand" }, el("span", { dir: "auto" }, this.#settings.title), close), fresh, approvals, this.#list.element, user);
    const header = el("header", { class: "bar" }, menu, this.#title, usage);
    const main = el("main", { id: "main", class: "main", tabindex: "-1" }, header, this.#notices, this.#scroll.element, this.#scroll.row, el("div", { class: "dock" }, this.#composer.element));
    const skip = el("a", { href: "#prompt", class: "skip-link", onclick: (event) => {
      event.preventDefault();
      this.#composer.focus();
    } }, "Skip to message");
    root.replaceChildren(skip, sidebar, el("div", { class: "backdrop", onclick: () => this.#toggleSidebar(false) }), main);
    this.#parts = { menu, sidebar, main, approvals, fresh, usage };
    this.#toggleSidebar(false);
  }

  #listen() {
    addEventListener("hashchange", () => this.#route());
    addEventListener("pagehide", () => this.#composer.flush());
    addEventListener("storage", (event) => {
      // Signed out, or signed in as another user, in another tab.
      const isSignIn = event.key === null || event.key === `${storagePrefix}subject` || (event.key === `${storagePrefix}token` && event.newValue === null);
      if (isSignIn && this.#signIn.isNeeded && event.newValue !== event.oldValue) location.reload();
    });
    NARROW.addEventListener("change", () => this.#toggleSidebar(false));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#parts.sidebar.classList.contains("open")) this.#toggleSidebar(false);
    });
    this.#tabs.listen({
      run: ({ sessionId, runId, message }) => this.#conversations.get(sessionId)?.followOther(runId, message),
      changed: ({ sessionId }) => {
        this.#list.load();
        const conversation = this.#conversations.get(sessionId);
        if (conversation?.isLoaded && !conversation.isRunning) this.#load(conversation);
      },
      deleted: ({ sessionId }) => this.#onDeleted(sessionId, true),
    });
  }

  /** Shows what the address names. */
  #route() {
    const [, view, id] = location.hash.split("/");
    this.#toggleSidebar(false);
    if (view === "approvals") return this.#showInbox();
    if (view === "s" && id) return this.#open(sessionIdOf(id));
    return this.#open(null);
  }

  #conversation(id) {
    const known = this.#conversations.get(id);
    if (known) return known;
    const conversation = new Conversation(id, { api: this.#api, settings: this.#settings, hooks: this.#hooks() });
    this.#conversations.set(id, conversation);
    return conversation;
  }

  #hooks() {
    return {
      isNew: () => this.#list.sessions === null || this.#list.sessions.length > 0,
      onSession: (conversation) => this.#onSession(conversation),
      onRunning: (conversation) => {
        if (conversation === this.#current) {
          this.#composer.setRunning(conversation.isRunning);
          // The focus was on a card that is gone.
          if (document.activeElement === document.body && !NARROW.matches) this.#composer.focus();
        } else if (!conversation.isRunning) this.#list.markUnread(conversation.id);
        this.#renderEmpty();
        this.#showTitle();
      },
      onRun: (conversation, runId, message) => this.#tabs.send("run", { sessionId: conversation.id, runId, message }),
      onChanged: (conversation, isNews) => {
        this.#list.load();
        this.#showTitle();
        if (isNews) this.#tabs.send("changed", { sessionId: conversation.id });
      },
      onRefused: (conversation, body) => this.#restore(conversation, body),
      onGrow: (conversation) => conversation === this.#current && this.#scroll.grow(),
      onError: (error) => this.#notice(error.message),
    };
  }

  #open(id) {
    this.#composer.flush();
    const conversation = this.#conversation(id);
    this.#forget(conversation);
    this.#current = conversation;
    this.#list.select(id);
    this.#mark(id === null ? this.#parts.fresh : null);
    this.#parts.main.classList.remove("without-composer");
    this.#scroll.element.replaceChildren(conversation.element);
    this.#composer.setText(drafts.get(id));
    this.#composer.setRunning(conversation.isRunning);
    this.#showTitle();
    this.#renderEmpty();
    if (!conversation.isLoaded) this.#load(conversation);
    if (!NARROW.matches) this.#composer.focus();
    this.#scroll.toEnd();
  }

  /** Drops conversations that are neither open nor running. */
  #forget(kept) {
    for (const [id, conversation] of this.#conversations) {
      if (conversation === kept || conversation.isRunning) continue;
      conversation.leave();
      this.#conversations.delete(id);
    }
  }

  async #load(conversation) {
    try {
      await conversation.load();
    } catch (error) {
      if (error.name === "AbortError") return;
      if (error.status === 404) {
        this.#notice("This conversation does not exist any more.");
        this.#onDeleted(conversation.id);
        return;
      }
      const retry = button("Try again", () => {
        retry.parentElement.remove();
        this.#load(conversation);
      });
      conversation.element.replaceChildren(el("div", { class: "note error", role: "alert" }, el("p", {}, `The conversation can't be loaded: ${error.message}`), retry));
      return;
    }
    this.#showTitle();
    if (conversation === this.#current) this.#composer.setRunning(conversation.isRunning);
  }

  /** Comes back to the prompt that was on its way before a reload. */
  async #resume(sent) {
    const target = sent.sessionId ? `#/s/${encodeURIComponent(sent.sessionId)}` : "#/new";
    if (location.hash !== target) history.replaceState(null, "", target);
    const conversation = this.#conversation(sent.sessionId);
    // The session may have nothing yet, or be out of reach for a while.
    conversation.isLoaded = true;
    this.#route();
    if (sent.sessionId) await conversation.load().catch(() => {});
    conversation.resume(sent);
    this.#renderEmpty();
  }

  #send(text, blocks) {
    const isSent = this.#current.send(text, blocks);
    if (isSent) this.#renderEmpty();
    this.#scroll.toEnd();
    return isSent;
  }

  #onSession(conversation) {
    if (this.#conversations.get(null) === conversation) this.#conversations.delete(null);
    this.#conversations.set(conversation.id, conversation);
    if (conversation === this.#current) history.replaceState(null, "", `#/s/${encodeURIComponent(conversation.id)}`);
    this.#list.load().then(() => conversation === this.#current && this.#list.select(conversation.id));
    this.#mark(null);
  }

  #onRenamed(session) {
    const conversation = this.#conversations.get(session.id);
    if (conversation) conversation.title = session.title;
    this.#showTitle();
    this.#tabs.send("changed", { sessionId: session.id });
  }

  #onDeleted(id, isElsewhere = false) {
    const conversation = this.#conversations.get(id);
    conversation?.leave();
    this.#conversations.delete(id);
    drafts.set(id, "");
    if (isElsewhere) this.#list.load();
    else this.#tabs.send("deleted", { sessionId: id });
    if (conversation && conversation === this.#current) {
      this.#composer.setText("");
      location.hash = "#/new";
    }
  }

  #restore(conversation, body) {
    const text = typeof body.prompt === "string" ? body.prompt : body.prompt.map((block) => block.text ?? "").join("");
    const blocks = typeof body.prompt === "string" ? [] : body.prompt.filter((block) => block.text === undefined);
    const files = blocks.map((block) => ({ name: block.document?.name ?? "Image", size: bytesOf(block).length * 0.75, block }));
    if (conversation === this.#current) this.#composer.restore(text, files);
    else drafts.set(conversation.id, text);
    this.#renderEmpty();
  }

  /** Shows suggestions while a conversation has nothing. */
  #renderEmpty() {
    const conversation = this.#current;
    if (!conversation) return;
    const old = this.#scroll.element.querySelector(".empty");
    if (!conversation.isEmpty || !conversation.isLoaded || this.#scroll.element.firstElementChild?.matches(".inbox")) return void old?.remove();
    if (old) return;
    const suggestions = this.#settings.suggestions.map((text) => el("li", {}, button(text, () => {
      this.#composer.setText(text);
      this.#composer.focus();
    }, { class: "suggestion" })));
    const empty = el("section", { class: "empty" }, el("h2", {}, "How can I help?"));
    if (suggestions.length) empty.append(el("ul", { "aria-label": "Suggestions" }, ...suggestions));
    this.#scroll.element.append(empty);
  }

  #showInbox() {
    this.#composer.flush();
    this.#current = null;
    this.#list.select(null);
    this.#mark(this.#parts.approvals);
    this.#parts.main.classList.add("without-composer");
    this.#scroll.element.replaceChildren(this.#inbox.element);
    this.#showTitle();
    this.#inbox.load();
    this.#inbox.element.querySelector("h2").focus();
  }

  #mark(link) {
    for (const other of [this.#parts.fresh, this.#parts.approvals]) {
      if (other === link) other.setAttribute("aria-current", "page");
      else other.removeAttribute("aria-current");
    }
  }

  #showCount(count) {
    const badge = this.#parts.approvals.querySelector(".count");
    badge.hidden = count === 0;
    badge.textContent = String(count);
    this.#showTitle();
  }

  #showTitle() {
    const conversation = this.#current;
    const title = conversation ? ((conversation.title ?? conversation.firstTitle) || (conversation.id ? "Conversation" : "New conversation")) : "Approvals";
    this.#title.textContent = title;
    this.#scroll.element.setAttribute("aria-label", conversation ? "Conversation" : "Approvals");
    this.#parts.usage.hidden = !conversation;
    document.title = `${title} – ${this.#settings.title}`;
  }

  async #showUsage() {
    const turns = (this.#current?.turns ?? []).filter((turn) => turn.usage);
    const dialog = el("dialog", { class: "dialog usage-dialog", "aria-label": "Usage" });
    const rows = turns.map((turn, index) => ({ label: String(index + 1), ...turn.usage, cost: turn.usage.cost ?? undefined }));
    dialog.append(rows.length ? usageChart(rows) : el("p", { class: "muted" }, "No answers yet."));
    dialog.append(el("div", { class: "dialog-buttons" }, button("Close", () => dialog.close(""))));
    await modal(dialog);
  }

  async #signOut() {
    for (const conversation of this.#conversations.values()) conversation.leave();
    if (await this.#signIn.signOut()) location.assign(location.pathname);
  }

  /** Opens or closes the list on narrow screens, where it covers the page. */
  #toggleSidebar(isOpen) {
    const { sidebar, main, menu } = this.#parts;
    const wasOpen = sidebar.classList.contains("open");
    sidebar.classList.toggle("open", isOpen);
    sidebar.inert = NARROW.matches && !isOpen;
    main.inert = NARROW.matches && isOpen;
    menu.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) sidebar.querySelector("a, button").focus();
    else if (wasOpen && NARROW.matches) menu.focus();
  }

  #notice(text) {
    const message = text.charAt(0).toUpperCase() + text.slice(1);
    const notice = el("div", { class: "notice", role: "alert" }, el("p", {}, message));
    notice.append(iconButton("close", "Dismiss", () => notice.remove()));
    this.#notices.replaceChildren(notice);
  }
}

/** Returns the id of a session in an address, which a user may have changed. */
function sessionIdOf(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function main() {
  const response = await fetch(new URL("settings.json", import.meta.url), { signal: AbortSignal.timeout(15_000) });
  if (!response.ok) throw new Error(`status ${response.status}`);
  const settings = await response.json();
  document.title = settings.title;
  const signIn = new SignIn(settings.sign_in, () => signInAgain(signIn));
  const error = await signIn.finish();
  if (!signIn.isSignedIn) {
    // That of a user who has signed out in another tab.
    pending.clear();
    await signInScreen(root, settings.title, signIn, error);
  }
  ownPage();
  new App(settings, signIn).start();
}

main().catch((error) => {
  root.replaceChildren(el("main", { class: "screen" }, el("h1", {}, "The page can't be loaded"), el("p", { class: "muted", role: "alert" }, `${error.message}. Check your connection.`), button("Try again", () => location.reload(), { class: "primary" })));
});
