#!/usr/bin/env python3
"""Uses our server (`conformance_server`) with the `mcp` package of PyPI, in both ages of the protocol.

usage: python_client.py <URL or program>
"""

import asyncio
import sys

from mcp import Client, StdioServerParameters
from mcp.types import ElicitResult

CHECKS = 0


def check(what: str, actual, expected) -> None:
    global CHECKS
    assert actual == expected, f"{what}: {actual!r}, expected {expected!r}"
    CHECKS += 1


async def accept(context, params):
    schema = params.requested_schema
    fields = {"approve": True, "name": "Ann", "username": "ann", "email": "a@b.c"}
    return ElicitResult(action="accept", content={name: fields[name] for name in schema["properties"]})


async def use(target, mode: str, version: str) -> None:
    async with Client(target, mode=mode, elicitation_callback=accept) as client:
        check("version", client.protocol_version, version)
        # A client that is told the version does not ask for the name.
        if mode != version:
            check("name", client.server_info.name, "strands-conformance")
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        check("schema", tools["add_numbers"].input_schema["required"], ["a", "b"])
        check("annotation", tools["add_numbers"].annotations.read_only_hint, True)
        # The client itself validates structured content.
        total = await client.call_tool("add_numbers", {"a": 2, "b": 3})
        check("wrapped", total.structured_content, {"result": 5})
        weather = await client.call_tool("get_weather", {"city": "Oslo"})
        check("object", weather.structured_content, {"city": "Oslo", "celsius": 21.5})
        mixed = await client.call_tool("test_multiple_content_types", {})
        check("content", [block.type for block in mixed.content], ["text", "image", "resource"])
        failed = await client.call_tool("test_error_handling", {})
        check("error", failed.is_error, True)
        invalid = await client.call_tool("add_numbers", {"a": "two"})
        check("invalid arguments", invalid.is_error, True)

        progress = []

        async def on_progress(done, total, message):
            progress.append((done, total))

        await client.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)
        check("progress", [(100.0 if done >= 100 else done, total) for done, total in progress], [(0.0, 100.0), (50.0, 100.0), (100.0, 100.0)])
        agent = await client.call_tool("ask_agent", {"input": "hello"}, progress_callback=on_progress)
        check("agent", agent.content[0].text, "The agent says hello.")
        check("usage", "io.github.strands-rs/usage" in agent.meta, True)

        approved = await client.call_tool("delete_file", {"path": "/a"})
        check("approval", approved.content[0].text, "deleted /a")
        name = await client.call_tool("test_input_required_result_elicitation", {})
        check("elicitation", name.content[0].text, "Hello, Ann!")

        before = (await client.call_tool("count_dropped", {})).structured_content["result"]
        waiting = asyncio.create_task(client.call_tool("wait_forever", {}))
        await asyncio.sleep(0.2)
        waiting.cancel()
        await asyncio.sleep(0.2)
        after = (await client.call_tool("count_dropped", {})).structured_content["result"]
        check("cancellation", after - before, 1)

        prompt = await client.get_prompt("test_prompt_with_arguments", {"arg1": "a", "arg2": "b"})
        check("prompt", prompt.messages[0].content.text, "Prompt with arguments: arg1='a', arg2='b'")
        resource = await client.read_resource("test://template/7/data")
        check("resource", '"id":"7"' in resource.contents[0].text, True)


async def main() -> None:
    argument = sys.argv[1]
    is_url = argument.startswith("http")
    for mode, version in (("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28"), ("auto", "2026-07-28")):
        target = argument if is_url else StdioServerParameters(command=argument, args=["stdio"])
        await use(target, mode, version)
    print(f"{CHECKS} checks")


asyncio.run(main())
