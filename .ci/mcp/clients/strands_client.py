#!/usr/bin/env python3
"""Uses our server (`conformance_server`) as the source of tools of an agent of Strands for Python, with a scripted model.

usage: strands_client.py <URL or program> <folder of the rigs>
"""

import logging
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
sys.path.insert(0, f"{sys.argv[2]}/sessions")

from mcp import StdioServerParameters, stdio_client  # noqa: E402
from mcp.client.streamable_http import streamable_http_client  # noqa: E402
from scripted import Scripted  # noqa: E402
from strands import Agent  # noqa: E402
from strands.tools.mcp import MCPClient  # noqa: E402

CHECKS = 0


def check(what: str, actual, expected) -> None:
    global CHECKS
    assert actual == expected, f"{what}: {actual!r}, expected {expected!r}"
    CHECKS += 1


def connect():
    if sys.argv[1].startswith("http"):
        return streamable_http_client(sys.argv[1])
    return stdio_client(StdioServerParameters(command=sys.argv[1], args=["stdio"]))


def call(number: int, name: str, arguments: dict) -> dict:
    return {"toolUse": {"toolUseId": f"tooluse_{number}", "name": name, "input": arguments}}


with MCPClient(connect) as client:
    tools = client.list_tools_sync()
    check("tools", "add_numbers" in [tool.tool_name for tool in tools], True)
    result = client.call_tool_sync("t1", "get_weather", {"city": "Oslo"})
    check("status", result["status"], "success")
    check("structured", result["structuredContent"], {"city": "Oslo", "celsius": 21.5})
    check("error", client.call_tool_sync("t2", "test_error_handling", {})["status"], "error")
    model = Scripted(
        [call(1, "add_numbers", {"a": 20, "b": 22}), call(2, "test_image_content", {}), call(3, "test_error_handling", {})],
        [call(4, "ask_agent", {"input": "hello"})],
        "It is 42.",
    )
    agent = Agent(model=model, tools=tools, callback_handler=None)
    answer = agent("20 + 22?")
    check("answer", str(answer).strip(), "It is 42.")
    results = [block["toolResult"] for message in agent.messages for block in message["content"] if "toolResult" in block]
    check("statuses", [result["status"] for result in results], ["success", "success", "error", "success"])
    check("sum", results[0]["content"][0]["text"], "42")
    check("image", results[1]["content"][0]["image"]["format"], "png")
    check("nested agent", results[3]["content"][0]["text"], "The agent says hello.")
print(f"{CHECKS} checks")
