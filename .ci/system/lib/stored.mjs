// Compares sessions and bookings with what the service has acknowledged to its users.
import { textOf } from "./client.mjs";
import { bookings, lines, query } from "./records.mjs";

// Sessions of a user that were read: id to messages.
async function messagesOf(user, id) {
  user.transcripts ??= new Map();
  if (!user.transcripts.has(id)) user.transcripts.set(id, (await user.client.persist("GET", `/sessions/${encodeURIComponent(id)}`)).body?.messages ?? []);
  return user.transcripts.get(id);
}

// Each acknowledged turn of a user is in its session once, with its response. Returns their number.
export async function storedTurns(user, shared) {
  let acknowledged = 0;
  for (const turn of user.turns) {
    const id = turn.session ?? `session_for_user_${user.subject}`;
    const messages = await messagesOf(user, id);
    // A prompt after one that got no response is a part of its message.
    const has = (it) => it.role === "user" && it.content.some((part) => part.text === turn.text);
    const at = messages.flatMap((it, index) => (has(it) ? [index] : []));
    // A user who retries sends the prompt again.
    if (at.length > 1 && !turn.isRetried) shared.unexpected.push(`${user.username}: stored ${at.length} times: ${turn.text}`);
    if (!turn.isAcknowledged) continue;
    acknowledged += 1;
    const replies = at.map((start) => {
      const next = messages.findIndex((it, index) => index > start && it.role === "user" && textOf(it) !== "");
      return messages.slice(start + 1, next < 0 ? undefined : next).filter((it) => it.role === "assistant").map(textOf);
    });
    const reply = (turn.decided ?? turn.reply).trim();
    const holding = replies.filter((texts) => texts.some((it) => it.trim() !== "" && reply.includes(it.trim())));
    if (holding.length !== 1) {
      shared.unexpected.push(`${user.username}: acknowledged, and stored ${at.length} times with its response ${holding.length} times: ${turn.text}: ${JSON.stringify(reply.slice(0, 200))} ${JSON.stringify(replies).slice(0, 600)}`);
    }
  }
  return acknowledged;
}

// Each booking has one audit record in the database, and one in the files: of an approval by a manager who is another user if it
// is above the cost limit, and of no approval otherwise. Returns what is wrong.
export async function auditProblems(system, users) {
  const found = await bookings(system.database);
  const records = await query(system.database, "SELECT booking, count(*) AS count FROM audit WHERE action = 'booked' GROUP BY booking");
  const audited = new Map(records.map((it) => [it.booking, it.count]));
  const decisions = new Map();
  for (const record of system.audits.flatMap(lines)) {
    if (record.tool !== "book_trip") continue;
    if (!decisions.has(record.tool_use_id)) decisions.set(record.tool_use_id, []);
    // A process that resumes the run of one that died repeats its record of the approval, which is the same.
    const known = decisions.get(record.tool_use_id);
    if (!known.some((it) => JSON.stringify(it) === JSON.stringify(record))) known.push(record);
  }
  const calls = new Map();
  for (const user of users) {
    for (const messages of user.transcripts?.values() ?? []) {
      for (const { toolResult } of messages.flatMap((it) => it.content)) {
        const code = toolResult && JSON.stringify(toolResult.content).match(/confirmation_code\W+([A-Z0-9]{6,12})/)?.[1];
        if (code && decisions.has(toolResult.toolUseId)) calls.set(code, [...(calls.get(code) ?? []), toolResult.toolUseId]);
      }
    }
  }
  const problems = [];
  for (const { code, username, above_cost_limit: isAbove } of found) {
    if (audited.get(code) !== 1) problems.push(`${code} has ${audited.get(code) ?? 0} audit records in the database`);
    // A booking of which the result was lost has its call in no session.
    if (!calls.has(code)) continue;
    const all = [...new Set(calls.get(code))].map((id) => decisions.get(id));
    const approvals = all.map((each) => each.filter((it) => it.decision === "approved"));
    const subject = `employee-${username}`;
    if (all.flat().some((it) => it.identity?.subject !== subject)) problems.push(`${code} of ${username} has an audit record of another user`);
    // Of managers who reply at the same time, only the one whose reply counts has a record of an approval.
    const approvers = approvals.map((each) => each.map((it) => it.approver?.subject));
    if (isAbove && approvers.some((each) => each.length !== 1)) problems.push(`${code} is above the limit and approved by ${JSON.stringify(approvers)}`);
    if (!isAbove && approvals.flat().length) problems.push(`${code} is not above the limit and was approved`);
    if (!isAbove && !all.some((each) => each.some((it) => it.decision === "allowed"))) problems.push(`${code} has no audit record in a file`);
    if (approvals.flat().some((it) => !it.approver || it.approver.subject === subject)) problems.push(`${code} was approved by ${username}`);
  }
  return { problems, checked: found.length, withCalls: found.filter((it) => calls.has(it.code)).length, above: found.filter((it) => it.above_cost_limit).length };
}

// Requests of which more than one approval was accepted. `accepted` has the id of the request of each accepted approval.
export const acceptedTwice = (accepted) => accepted.filter((id, index) => accepted.indexOf(id) !== index);

// Each booking belongs to the user whom the service told about it. With `isComplete`, users were told about all of them, but for one
// for each turn that may have failed after its booking: the service did not acknowledge it, or the desk did not respond in time.
export function bookingsWithOwners(found, users, shared, { isComplete }) {
  const owners = new Map(users.map((it) => [it.username, it]));
  const codes = new Map(found.map((it) => [it.code, it.username]));
  for (const { code, username } of found) {
    if (!owners.has(username)) shared.crossed.push(`booking ${code} is of ${username}`);
  }
  for (const user of users) {
    const untold = found.filter((it) => it.username === user.username && !user.codes.has(it.code)).map((it) => it.code);
    const failed = user.turns.filter((turn) => !turn.isAcknowledged || isWithoutResult(turn.decided ?? turn.reply ?? "")).length;
    if (isComplete && untold.length > failed) shared.crossed.push(`bookings ${untold} were not acknowledged to ${user.username}: ${failed} turns failed`);
    const told = [...user.codes, ...(user.atDesk ?? []).map((it) => it.confirmation_code)];
    for (const code of told) {
      if (codes.get(code) !== user.username) shared.crossed.push(`${user.username} was told ${code}, of ${codes.get(code)}`);
    }
  }
}

// The text of the model after a call of the desk that has failed. A manager's denial is a result.
const isWithoutResult = (text) => text.includes(": not booked: ") && !text.includes("denied the call");
