// A stored session as turns: a prompt, and the messages until the next one.

/** Kinds of content blocks that a user attaches. */
const ATTACHED = ["image", "document", "audio", "video"];

export function textOf(message) {
  return message.content.map((block) => block.text ?? citedText(block)).filter(Boolean).join("\n\n");
}

function citedText(block) {
  return block.citationsContent?.content?.map((part) => part.text ?? "").join("") ?? "";
}

export function attachmentsOf(message) {
  return message.content.filter((block) => ATTACHED.some((kind) => block[kind]));
}

function isPrompt(message) {
  return message.role === "user" && !message.content.some((block) => block.toolResult);
}

/** Returns true for a prompt in a message with the results of calls that were cut off before it. A session can't be rewound to it. */
export function isMergedPrompt(message) {
  const results = message.content.filter((block) => block.toolResult).length;
  return message.role === "user" && Boolean(message.tracking_id) && results > 0 && results < message.content.length;
}

function split(message) {
  if (!isMergedPrompt(message)) return [message];
  const part = (isOfCalls) => message.content.filter((block) => Boolean(block.toolResult) === isOfCalls);
  return [{ ...message, content: part(true) }, { ...message, content: part(false), isMerged: true }];
}

/** Returns the turns of messages: `{runId, prompt, messages}`; the prompt has `isMerged` if it is of a message with results of calls. */
export function turnsOf(messages) {
  const turns = [];
  for (const message of messages.flatMap(split)) {
    const last = turns.at(-1);
    if (!isPrompt(message)) {
      if (last) last.messages.push(message);
      else turns.push({ runId: null, prompt: null, messages: [message] });
    } else if (last?.prompt && last.messages.length === 0 && !message.tracking_id) {
      // A prompt of several messages has the id of its run at the first one. Another id is of the next prompt, after a failure.
      last.prompt = { ...last.prompt, content: [...last.prompt.content, ...message.content] };
    } else {
      turns.push({ runId: message.tracking_id ?? null, prompt: message, messages: [] });
    }
  }
  return turns;
}

/** Returns true if a turn has its answer. */
export function isEnded(turn) {
  const last = turn.messages.at(-1);
  return last?.role === "assistant" && !last.content.some((block) => block.toolUse);
}

/** Adds up tokens and latency of the messages of a turn. */
export function usageOf(messages) {
  const total = { inputTokens: 0, outputTokens: 0, cachedTokens: 0, latencyMs: 0 };
  for (const { metadata } of messages) {
    total.inputTokens += metadata?.usage?.inputTokens ?? 0;
    total.outputTokens += metadata?.usage?.outputTokens ?? 0;
    total.cachedTokens += metadata?.usage?.cacheReadInputTokens ?? 0;
    total.latencyMs += metadata?.metrics?.latencyMs ?? 0;
  }
  return total;
}

/** Returns the cost of a turn, or null without prices. */
export function costOf(usage, prices) {
  if (!prices) return null;
  const cached = usage.cachedTokens * (prices.cached_input ?? prices.input);
  return (usage.inputTokens * prices.input + cached + usage.outputTokens * prices.output) / 1e6;
}

/** Makes a title of a prompt. */
export function titleOf(text) {
  const line = text.trim().split("\n", 1)[0].replace(/\p{Cc}/gu, " ").replace(/\s+/g, " ").trim();
  const characters = [...line];
  return characters.length > 60 ? `${characters.slice(0, 58).join("").trimEnd()}…` : line;
}
