// Code block with its language, a copy button, and a scrollable region that the keyboard reaches.

import { element, scrollRegion } from "../elements.js";

/**
 * @param {string} code
 * @param {string} language
 * @returns {HTMLElement}
 */
export function codeBlock(code, language) {
  const block = element("div", "code-block");
  block.dataset.language = language;

  const bar = element("div", "code-bar");
  const status = element("span", "code-status");
  status.setAttribute("role", "status");
  const button = element("button", "code-copy", "Copy");
  button.type = "button";
  button.setAttribute("aria-label", language ? `Copy ${language} code` : "Copy code");
  bar.append(element("span", "code-language", language || "text"), status, button);

  const region = scrollRegion("pre", "", language ? `${language} code` : "Code");
  const content = element("code", "", code);
  region.append(content);

  button.addEventListener("click", () => copy(content, status));
  block.append(bar, region);
  return block;
}

async function copy(content, status) {
  try {
    await navigator.clipboard.writeText(content.textContent);
    status.textContent = "Copied";
  } catch {
    // Without permission, or on a page without TLS: the user copies the selection.
    const selection = getSelection();
    selection.removeAllRanges();
    selection.selectAllChildren(content);
    status.textContent = "Selected: copy it with the keyboard";
  }
}

/**
 * Shows the code of another block in this one, which keeps its focus and scroll position. Returns false if they differ in more
 * than the end of the code.
 *
 * @param {Element} shown
 * @param {Element} next
 * @returns {boolean}
 */
export function continueCodeBlock(shown, next) {
  const isCode = shown.className === "code-block" && next.className === "code-block";
  if (!isCode || shown.dataset.language !== next.dataset.language) return false;
  const [old, content] = [shown, next].map((block) => block.querySelector("code").textContent);
  // The last line may go on.
  const kept = old.replace(/\n$/, "").length;
  if (!content.startsWith(old.slice(0, kept))) return false;
  if (content === old) return true;
  const code = shown.querySelector("code");
  if (code.firstChild) code.firstChild.replaceData(kept, old.length - kept, content.slice(kept));
  else code.textContent = content;
  shown.querySelector(".code-status").textContent = "";
  return true;
}
