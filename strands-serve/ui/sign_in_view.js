// The screen and the dialog for signing in.

import { button, el, modal } from "./dom.js";
import { whenSignedInElsewhere } from "./sign_in.js";

const NEEDS_HTTPS = "This page needs HTTPS for the sign-in. Open it with an address that starts with https://.";

/** Returns the choices of a sign-in; `onDone` is called when there is a token. */
function choices(signIn, onDone, error) {
  const alert = el("p", { class: "form-error", role: "alert" }, error ?? "");
  const field = el("textarea", { id: "token", rows: 3, autocomplete: "off", spellcheck: "false", required: true });
  const submit = (event) => {
    event.preventDefault();
    if (!field.value.trim()) return;
    signIn.useToken(field.value);
    onDone();
  };
  const form = el("form", { class: "token-form", onsubmit: submit }, el("label", { for: "token" }, "Access token"), field, el("button", { type: "submit", class: "button primary" }, "Use this token"));
  if (!signIn.isOidc) return [alert, form];
  const choice = el("details", { class: "token-choice" }, el("summary", {}, "Use an access token"), form);
  if (!signIn.canStart) {
    alert.textContent = NEEDS_HTTPS;
    return [alert, choice];
  }
  const go = button("Sign in", async () => {
    go.disabled = true;
    try {
      await signIn.start();
    } catch (failure) {
      alert.textContent = `The sign-in can't start: ${failure.message}.`;
      go.disabled = false;
    }
  }, { class: "primary wide" });
  return [alert, go, choice];
}

/** Shows the screen in place of the page, until the user has signed in. */
export function signInScreen(root, title, signIn, error) {
  return new Promise((resolve) => {
    const heading = el("h1", { tabindex: "-1" }, title);
    const done = () => {
      stopWatching();
      root.replaceChildren();
      resolve();
    };
    const stopWatching = whenSignedInElsewhere(done);
    const text = signIn.isOidc ? "Sign in to continue." : "Paste an access token to continue.";
    root.replaceChildren(el("main", { class: "screen" }, heading, el("p", { class: "muted" }, text), ...choices(signIn, done, error)));
    heading.focus();
  });
}

/** Asks the user to sign in again, over the page, which keeps everything. */
export async function signInAgain(signIn) {
  for (let isDone = false; !isDone; ) {
    const dialog = el("dialog", { class: "dialog", "aria-labelledby": "sign-in-title" });
    dialog.append(
      el("h2", { id: "sign-in-title" }, "Sign in again"),
      el("p", {}, "Your sign-in has ended. Your draft is kept."),
      ...choices(signIn, () => dialog.close("done"), null),
    );
    // Without a token nothing works, so Escape does not close it.
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    const stopWatching = whenSignedInElsewhere(() => dialog.close("done"));
    isDone = (await modal(dialog)) === "done";
    stopWatching();
  }
}
