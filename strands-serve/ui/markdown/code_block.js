// Code block with its language, a copy button, and a scrollable region that the keyboard reaches.

/**
 * @param {string} code
 * @param {string} language
 * @returns {HTMLElement}
 */
export function codeBlock(code, language) {
  const block = document.createElement("div");
  block.className = "code-block";
  block.dataset.language = language;

  const bar = document.createElement("div");
  bar.className = "code-bar";
  const label = document.createElement("span");
  label.className = "code-language";
  label.textContent = language || "text";
  const status = document.createElement("span");
  status.className = "code-status";
  status.setAttribute("role", "status");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "code-copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", language ? `Copy ${language} code` : "Copy code");
  bar.append(label, status, button);

  const region = document.createElement("pre");
  region.tabIndex = 0;
  region.setAttribute("role", "region");
  region.setAttribute("aria-label", language ? `${language} code` : "Code");
  const content = document.createElement("code");
  content.textContent = code;
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
  const [old, content] = [shown, next].map((block) => block.querySelector("code"));
  const text = content.textContent;
  const length = old.textContent.length;
  if (!text.startsWith(old.textContent)) return false;
  if (text.length > length) {
    if (old.firstChild) old.firstChild.appendData(text.slice(length));
    else old.textContent = text;
    shown.querySelector(".code-status").textContent = "";
  }
  return true;
}
