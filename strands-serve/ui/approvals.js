// Card of a request for an approval: exactly the call that runs, and the decision.

import { element } from "./elements.js";
import { fieldList, jsonText, preformatted, visibleText } from "./timeline/values.js";

const TIME = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "short" });
let cards = 0;

/**
 * @typedef {object} ApprovalRequest An entry of `GET /approvals`.
 * @property {string} approval_id
 * @property {string} tool
 * @property {unknown} input
 * @property {string} [reason]
 * @property {{subject: string, name?: string}} [requested_by]
 * @property {string} [requested_at] RFC 3339.
 * @property {string} [expires_at] RFC 3339.
 * @property {boolean} [may_approve] False if the user may only deny the call.
 */

/**
 * Returns the request in an interrupt of the user's own run, for {@link approvalCard}. Returns `null` for an interrupt of another
 * kind.
 *
 * @param {{id: string, reason?: any}} interrupt
 * @returns {ApprovalRequest | null}
 */
export function requestOfInterrupt({ id, reason }) {
  if (typeof reason?.tool !== "string" || !Object.hasOwn(reason, "input")) return null;
  const { tool, input, requested_by, requested_at, expires_at } = reason;
  // Only `GET /approvals` knows the roles of the user.
  const may_approve = !reason.other_than_requester && !reason.approvers?.length;
  return { approval_id: id, tool, input, reason: reason.reason, requested_by, requested_at, expires_at, may_approve };
}

/**
 * Creates a card. After a click, the buttons are disabled until the promise settles, and an error is shown with
 * the buttons enabled again.
 *
 * @param {ApprovalRequest} request
 * @param {object} options
 * @param {boolean} options.canDecide False shows the request without buttons: it waits for another user.
 * @param {(decision: {approve: boolean, reason?: string}) => Promise<void> | void} [options.onDecision]
 * @returns {HTMLElement}
 */
export function approvalCard(request, { canDecide, onDecision }) {
  cards += 1;
  const card = element("section", "approval");
  const title = element("h3", "approval-title");
  title.id = `approval-${cards}`;
  card.setAttribute("aria-labelledby", title.id);
  const tool = element("code", "approval-tool", visibleText(request.tool));
  const mayApprove = canDecide && request.may_approve !== false;
  title.append(mayApprove ? "Approve " : "Waiting for approval: ", tool, mayApprove ? "?" : "");
  card.append(title);
  if (request.reason) card.append(element("p", "approval-reason", visibleText(request.reason)));
  card.append(facts(request), element("p", "call-label", "Arguments"), fieldList(request.input), exactJson(request.input));
  if (canDecide) card.append(...decisionControls(request, onDecision));
  return card;
}

function facts({ requested_by, requested_at, expires_at }) {
  const list = element("dl", "approval-facts");
  const add = (name, content) => {
    const row = element("div");
    const description = element("dd");
    description.append(content);
    row.append(element("dt", "", name), description);
    list.append(row);
  };
  if (requested_by) add("Requested by", requesterText(requested_by));
  if (requested_at) add("Requested", timeElement(requested_at));
  if (expires_at) add(Date.parse(expires_at) <= Date.now() ? "Expired" : "Expires", timeElement(expires_at));
  return list;
}

/** The id counts: display names are not unique. */
function requesterText({ subject, name }) {
  return visibleText(name && name !== subject ? `${name} (${subject})` : subject);
}

function timeElement(text) {
  const time = element("time");
  const date = new Date(text);
  const isValid = !Number.isNaN(date.getTime());
  time.textContent = isValid ? TIME.format(date) : visibleText(text);
  if (isValid) time.dateTime = date.toISOString();
  return time;
}

function exactJson(input) {
  const details = element("details", "approval-json");
  details.append(element("summary", "", "Arguments as JSON"), preformatted(jsonText(input)));
  return details;
}

function decisionControls(request, onDecision) {
  const isExpired = request.expires_at !== undefined && Date.parse(request.expires_at) <= Date.now();
  const mayApprove = request.may_approve !== false && !isExpired;
  const label = element("label", "approval-note");
  const field = element("textarea");
  Object.assign(field, { rows: 2, maxLength: 1000, name: "reason" });
  label.append(element("span", "", "Reason of a denial, for the agent (optional)"), field);
  const [approve, deny] = [button("Approve", "approve"), button("Deny", "deny")];
  const status = element("p", "approval-status");
  status.setAttribute("role", "status");
  if (!mayApprove) {
    status.textContent = isExpired ? "The request has expired: you can only deny it." : "You may deny this call, but not approve it.";
  }
  const buttons = element("div", "approval-buttons");
  buttons.append(...(mayApprove ? [approve] : []), deny);

  let isSending = false;
  const decide = async (isApproved) => {
    if (isSending) return;
    isSending = true;
    // `disabled` would move the focus to the page.
    const setBusy = (isBusy) => {
      for (const control of [approve, deny]) control.setAttribute("aria-disabled", String(isBusy));
      field.readOnly = isBusy;
    };
    setBusy(true);
    status.className = "approval-status";
    status.textContent = isApproved ? "Approving…" : "Denying…";
    const reason = field.value.trim();
    try {
      await onDecision(isApproved || !reason ? { approve: isApproved } : { approve: false, reason });
      status.textContent = isApproved ? "Approved" : "Denied";
    } catch (error) {
      isSending = false;
      setBusy(false);
      status.classList.add("approval-error");
      status.textContent = `Not sent: ${visibleText(error instanceof Error ? error.message : String(error))}`;
    }
  };
  approve.addEventListener("click", () => decide(true));
  deny.addEventListener("click", () => decide(false));
  return [label, buttons, status];
}

function button(text, kind) {
  const control = element("button", `approval-${kind}`, text);
  control.type = "button";
  return control;
}
