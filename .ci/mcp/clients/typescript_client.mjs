// Uses our server (`conformance_server`) with the TypeScript SDK of MCP.
//
// usage: typescript_client.mjs <URL or program> <folder with node_modules>
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [target, folder] = process.argv.slice(2);
const require = createRequire(`${folder}/package.json`);
const sdk = (path) => import(pathToFileURL(require.resolve(`@modelcontextprotocol/sdk/${path}`)));
const { Client } = await sdk("client/index.js");
const { StdioClientTransport } = await sdk("client/stdio.js");
const { StreamableHTTPClientTransport } = await sdk("client/streamableHttp.js");
const { ElicitRequestSchema } = await sdk("types.js");

let checks = 0;
const check = (what, actual, expected) => {
  assert.deepEqual(actual, expected, what);
  checks += 1;
};

const client = new Client({ name: "typescript", version: "1" }, { capabilities: { elicitation: { form: {} } } });
client.setRequestHandler(ElicitRequestSchema, async (request) => {
  const fields = { approve: true, name: "Ann" };
  const names = Object.keys(request.params.requestedSchema.properties);
  return { action: "accept", content: Object.fromEntries(names.map((name) => [name, fields[name]])) };
});
const transport = target.startsWith("http")
  ? new StreamableHTTPClientTransport(new URL(target))
  : new StdioClientTransport({ command: target, args: ["stdio"], stderr: "ignore" });
await client.connect(transport);

check("name", client.getServerVersion().name, "strands-conformance");
const { tools } = await client.listTools();
const add = tools.find((tool) => tool.name === "add_numbers");
check("schema", add.inputSchema.required, ["a", "b"]);
check("output schema", add.outputSchema.required, ["result"]);
check("annotations", add.annotations, { readOnlyHint: true, idempotentHint: true });

// The client itself validates structured content.
const call = (name, args = {}, options = {}) => client.callTool({ name, arguments: args }, undefined, options);
check("wrapped", (await call("add_numbers", { a: 2, b: 3 })).structuredContent, { result: 5 });
check("object", (await call("get_weather", { city: "Oslo" })).structuredContent, { city: "Oslo", celsius: 21.5 });
const mixed = await call("test_multiple_content_types");
check("content", mixed.content.map((block) => block.type), ["text", "image", "resource"]);
check("audio", (await call("test_audio_content")).content[0].mimeType, "audio/wav");
check("error", (await call("test_error_handling")).isError, true);
check("invalid arguments", (await call("add_numbers", { a: "two" })).isError, true);
await assert.rejects(call("no_such_tool"), /unknown tool: no_such_tool/);

const progress = [];
await call("test_tool_with_progress", {}, { onprogress: (report) => progress.push([report.progress, report.total]) });
check("progress", progress, [[0, 100], [50, 100], [100, 100]]);
const agent = await call("ask_agent", { input: "hello" });
check("agent", agent.content[0].text, "The agent says hello.");
check("usage", "io.github.strands-rs/usage" in agent._meta, true);
check("approval", (await call("delete_file", { path: "/a" })).content[0].text, "deleted /a");
check("elicitation", (await call("test_input_required_result_elicitation")).content[0].text, "Hello, Ann!");

const dropped = async () => (await call("count_dropped")).structuredContent.result;
const before = await dropped();
const controller = new AbortController();
const waiting = call("wait_forever", {}, { signal: controller.signal });
setTimeout(() => controller.abort("enough"), 200);
await assert.rejects(waiting);
await new Promise((resolve) => setTimeout(resolve, 200));
check("cancellation", (await dropped()) - before, 1);

const prompt = await client.getPrompt({ name: "test_prompt_with_arguments", arguments: { arg1: "a", arg2: "b" } });
check("prompt", prompt.messages[0].content.text, "Prompt with arguments: arg1='a', arg2='b'");
const resource = await client.readResource({ uri: "test://template/7/data" });
check("resource", JSON.parse(resource.contents[0].text).id, "7");

if (transport.terminateSession) await transport.terminateSession();
await client.close();
console.log(`${checks} checks`);
