// Uses the HTTP interface with types that are generated from its description: it must compile, and run.

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type AgentEvent = components["schemas"]["AgentEvent"];

const [baseUrl = "", token = ""] = process.argv.slice(2);
const headers = { authorization: `Bearer ${token}` };
const client = createClient<paths>({ baseUrl, headers });

async function prompts(): Promise<string> {
  const { data, error } = await client.POST("/prompt", { body: { prompt: "Hello to you", new_session: true } });
  if (!data) throw new Error(error.detail);
  assert.equal(data.text, "Hello to you");
  assert.equal(data.stop_reason, "end_turn");
  const cycles: number = data.metrics.total_cycles;
  assert.equal(cycles, 1);
  const blocks = await client.POST("/prompt", { body: { prompt: [{ text: "in a block" }], session_id: data.session_id } });
  assert.equal(blocks.data?.text, "in a block");
  return data.session_id;
}

async function refusals(): Promise<void> {
  const { error, response } = await client.POST("/prompt", { body: { prompt: " " } });
  assert.equal(response.status, 422);
  const code: string | undefined = error?.code;
  assert.equal(code, "empty_prompt");
  const anonymous = createClient<paths>({ baseUrl });
  assert.equal((await anonymous.GET("/sessions")).response.status, 401);
  // @ts-expect-error A prompt is required.
  await client.POST("/prompt", { body: {} });
  // @ts-expect-error There is no such path.
  await client.GET("/session");
}

async function sessions(id: string): Promise<void> {
  const path = { id };
  const renamed = await client.PATCH("/sessions/{id}", { params: { path }, body: { title: "Greeting" } });
  assert.equal(renamed.data?.title, "Greeting");
  const listed = await client.GET("/sessions", { params: { query: { q: "greet", limit: 10 } } });
  assert.deepEqual(listed.data?.sessions.map((session) => session.id), [id]);
  const session = await client.GET("/sessions/{id}", { params: { path } });
  const roles = session.data?.messages.map((message) => message.role);
  assert.deepEqual(roles, ["user", "assistant", "user", "assistant"]);
  const prompt = session.data?.messages[2]?.tracking_id;
  assert(prompt);
  const rewound = await client.POST("/sessions/{id}/rewind", { params: { path }, body: { message_id: prompt } });
  assert.equal(rewound.data?.removed.length, 2);
  assert.equal((await client.DELETE("/sessions/{id}", { params: { path } })).response.status, 204);
  assert.equal((await client.GET("/sessions/{id}", { params: { path } })).response.status, 404);
}

async function approvals(): Promise<void> {
  const { data } = await client.GET("/approvals");
  assert.deepEqual(data?.approvals, []);
  const answers = [{ approval_id: "000000000000", approve: true, trust: "call" as const }];
  const answered = await client.POST("/runs/{id}/answers", { params: { path: { id: "none" } }, body: { answers } });
  assert.equal(answered.response.status, 404);
}

async function streams(): Promise<void> {
  const { data, response } = await client.POST("/prompt/stream", { body: { prompt: "one two" }, parseAs: "text" });
  const text: string | undefined = data;
  const events = (text ?? "").trimEnd().split("\n\n").map((block) => {
    const [id = "", json = ""] = block.split("\n").map((line) => line.slice(line.indexOf(": ") + 2));
    return { id, event: JSON.parse(json) as AgentEvent };
  });
  // Later versions may add types of events, so that the type alone does not tell the fields.
  const texts = events.flatMap(({ event }) => (event.type === "text_delta" && "text" in event ? [event.text] : []));
  assert.deepEqual(texts, ["one ", "two"]);
  const last = events.at(-1);
  assert.equal(last?.event.type, "result");
  const location = response.headers.get("location");
  const again = await fetch(new URL(location ?? "", baseUrl), { headers: { ...headers, "last-event-id": events[1]?.id ?? "" } });
  assert.equal(await again.text(), (text ?? "").split("\n\n").slice(2).join("\n\n"));
}

const session = await prompts();
await refusals();
await sessions(session);
await approvals();
await streams();
console.log("the generated client compiles, and its requests have the described responses");
