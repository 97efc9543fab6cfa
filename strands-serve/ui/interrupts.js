// What a suspended run waits for: cards of approvals, and forms for other interrupts.

import { approvalCard, requestOfInterrupt } from "./approvals.js";
import { button, el } from "./dom.js";

/**
 * Returns the elements for the interrupts of the user's own run. `approvals` are the requests that the user may respond to;
 * `onAnswer(answer)` sends a reply.
 */
export function interruptCards(interrupts, approvals, onAnswer) {
  return interrupts.map((interrupt) => {
    const request = requestOfInterrupt(interrupt);
    if (!request) return responseForm(interrupt, onAnswer);
    // The list says who may decide; its ids are others than those of interrupts.
    const listed = approvals.find((approval) => approval.tool === request.tool && JSON.stringify(approval.input) === JSON.stringify(request.input));
    const may_approve = listed?.may_approve ?? request.may_approve;
    const decide = ({ approve, reason }) => onAnswer({ approval_id: interrupt.id, approve, ...(reason ? { reason } : {}) });
    const card = approvalCard({ ...request, may_approve }, { canDecide: may_approve, onDecision: decide });
    if (!may_approve) card.append(waiting(() => decide({ approve: false, reason: "withdrawn by the requester" })));
    return card;
  });
}

/** A note that another user must approve, with a button to take the request back. */
function waiting(onWithdraw) {
  const text = el("p", { role: "status" }, "Another person must approve this. The answer continues here by itself.");
  return el("div", { class: "card-wait" }, text, button("Withdraw", onWithdraw));
}

/** A form for an interrupt that is not an approval: the response is a text. */
function responseForm(interrupt, onAnswer) {
  const reason = typeof interrupt.reason === "string" ? interrupt.reason : JSON.stringify(interrupt.reason, null, 2);
  const field = el("input", { id: `response-${interrupt.id}`, autocomplete: "off", required: true });
  const status = el("p", { class: "form-error", role: "alert" });
  const submit = async (event) => {
    event.preventDefault();
    try {
      await onAnswer({ interrupt_id: interrupt.id, response: field.value });
    } catch (error) {
      status.textContent = error.message;
    }
  };
  const form = el("form", { class: "approval question", onsubmit: submit });
  form.append(
    el("h3", {}, "The agent has a question"),
    el("p", { class: "prompt-text", dir: "auto" }, `${interrupt.name}: ${reason}`),
    el("label", { for: field.id }, "Answer"),
    el("div", { class: "inline-form" }, field, el("button", { type: "submit", class: "button primary" }, "Send")),
    status,
  );
  return form;
}
