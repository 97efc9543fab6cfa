// Model server with the interface of OpenAI's Chat Completions that follows scripts.
//
// The first word of the last prompt names the script. A script is a function of the state of the conversation that returns the
// next response: `text`, `calls` as `[tool, arguments]`, and how the stream behaves: `chunk` characters each `delay` ms, `cut`
// after that number of chunks, `hang` without an end.
import { createServer } from "node:http";
import { once } from "node:events";
import { pause } from "./random.mjs";

export class ModelServer {
  static async start(scripts) {
    const server = new ModelServer();
    Object.assign(server, { scripts, calls: 0, open: 0, unknown: [] });
    server.http = createServer((request, response) => {
      server.respond(request, response).catch((error) => {
        server.unknown.push(String(error.stack));
        response.destroy();
      });
    });
    server.http.keepAliveTimeout = 60_000;
    server.http.listen(0, "127.0.0.1");
    await once(server.http, "listening");
    server.url = `http://127.0.0.1:${server.http.address().port}/v1`;
    return server;
  }

  get env() {
    return { STRANDS_MODEL: "openai/scripted", OPENAI_API_KEY: "none", OPENAI_BASE_URL: this.url };
  }

  async respond(request, response) {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = JSON.parse(Buffer.concat(parts).toString());
    this.calls += 1;
    const turn = stateOf(body);
    const script = this.scripts[turn.prompt.trim().split(/\s/)[0]];
    if (!script) this.unknown.push(turn.prompt.slice(0, 200));
    const reply = script ? script(turn) : { text: `no script: ${turn.prompt.slice(0, 100)}` };
    this.open += 1;
    response.on("close", () => (this.open -= 1));
    response.writeHead(200, { "content-type": "text/event-stream" });
    const send = async (delta, finish = null, rest = {}) => {
      const chunk = { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "scripted", ...rest };
      chunk.choices = [{ index: 0, delta, finish_reason: finish }];
      if (!response.write(`data: ${JSON.stringify(chunk)}\n\n`)) await writable(response);
    };
    await send({ role: "assistant" });
    let sent = 0;
    const text = reply.text ?? "";
    const size = reply.chunk ?? 24;
    for (let at = 0; at < text.length; at += size) {
      if (response.destroyed) return;
      await send({ content: text.slice(at, at + size) });
      sent += 1;
      if (reply.delay) await pause(reply.delay);
      if (reply.cut === sent) return void response.destroy();
    }
    for (const [index, [name, input]] of (reply.calls ?? []).entries()) {
      const call = { name, arguments: typeof input === "string" ? input : JSON.stringify(input) };
      await send({ tool_calls: [{ index, id: `call_${this.calls}_${index}`, type: "function", function: call }] });
    }
    if (reply.hang) return void (await once(response, "close"));
    await send({}, reply.calls?.length ? "tool_calls" : "stop");
    const usage = { prompt_tokens: 100, completion_tokens: Math.ceil(text.length / 4), total_tokens: 100 + Math.ceil(text.length / 4) };
    response.write(`data: ${JSON.stringify({ id: "chatcmpl-1", object: "chat.completion.chunk", created: 1, model: "scripted", choices: [], usage })}\n\n`);
    response.end("data: [DONE]\n\n");
  }

  close() {
    this.http.closeAllConnections();
    this.http.close();
  }
}

// Waits until a response takes more data, or is closed.
function writable(response) {
  return new Promise((resolve) => {
    const done = () => {
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

// The last prompt, the number of responses since then, and the tool results since then as JSON or text.
function stateOf({ messages, tools }) {
  const content = (message) => (typeof message.content === "string" ? message.content : (message.content ?? []).map((it) => it.text ?? "").join(""));
  const start = messages.findLastIndex((message) => message.role === "user" && content(message).trim() !== "");
  const since = messages.slice(start + 1);
  const results = since.filter((message) => message.role === "tool").map((message) => {
    try {
      return JSON.parse(content(message));
    } catch {
      return content(message);
    }
  });
  return {
    prompt: start < 0 ? "" : content(messages[start]),
    step: since.filter((message) => message.role === "assistant").length,
    results,
    tools: (tools ?? []).map((tool) => tool.function.name),
    system: messages.filter((message) => message.role === "system").map(content).join("\n"),
  };
}
