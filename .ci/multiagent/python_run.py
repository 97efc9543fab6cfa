"""A run of a graph or swarm of Strands for Python, for `interop`. The only argument is JSON:

kind, id, session, folder, layout   the run and its storage; layout: messages or snapshots
nodes, edges                        of a graph; nodes: the members of a swarm
handoffs                            of a swarm: the next member of a member
asks                                nodes whose agent calls a tool that waits for an approval
ledger                              file to which each node appends its id when it starts
crash                               node in which the process ends at once, after its siblings
task, responses                     the prompt, or the responses to interrupts by their ids

Prints the status, the texts of the results and the pending interrupts as JSON.
"""

import asyncio
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")

from strands import Agent, ToolContext, tool  # noqa: E402
from strands.models.model import Model  # noqa: E402
from strands.multiagent import GraphBuilder, Swarm  # noqa: E402
from strands.session.file_session_manager import FileSessionManager  # noqa: E402
from strands.session.snapshot_session_manager import SnapshotSessionManager  # noqa: E402
from strands.storage.local_file_storage import LocalFileStorage  # noqa: E402

orders = json.loads(sys.argv[1])


@tool(context=True)
def pay(amount: int, tool_context: ToolContext) -> str:
    """Pays an amount, with an approval."""
    return f"paid {amount}: {tool_context.interrupt('approval', reason={'amount': amount})}"


class Scripted(Model):
    """The model of one node."""

    def __init__(self, node: str) -> None:
        self.node = node

    def update_config(self, **config) -> None:
        pass

    def get_config(self) -> dict:
        return {"model_id": "scripted"}

    async def structured_output(self, *args, **kwargs):
        raise NotImplementedError
        yield

    async def stream(self, messages, tool_specs=None, system_prompt=None, **kwargs):
        results = [block["toolResult"] for block in messages[-1]["content"] if "toolResult" in block]
        if not results:
            with open(orders["ledger"], "a", encoding="utf-8") as ledger:
                ledger.write(f"{self.node}\n")
        if orders.get("crash") == self.node and not results:
            await asyncio.sleep(0.4)
            os._exit(9)
        call = None
        if not results and self.node in orders.get("asks", []):
            call = ("pay", {"amount": 7})
        elif not results and self.node in orders.get("handoffs", {}):
            to = orders["handoffs"][self.node]
            call = ("handoff_to_agent", {"agent_name": to, "message": f"go on, {to}", "context": {"by": self.node}})
        yield {"messageStart": {"role": "assistant"}}
        if call:
            yield {"contentBlockStart": {"start": {"toolUse": {"name": call[0], "toolUseId": f"call-{self.node}"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps(call[1])}}}}
        else:
            # What the node got is a part of its text, so that lost outputs are found.
            got = [block["text"] for block in messages[0]["content"] if "text" in block]
            sources = [part[len("\nFrom "):-1] for part in got if part.startswith("\nFrom ")]
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": f"{self.node} in Python of {','.join(sorted(sources))}"}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if call else "end_turn"}}
        yield {"metadata": {"usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18}, "metrics": {"latencyMs": 5}}}


def agent(node: str) -> Agent:
    tools = [pay] if node in orders.get("asks", []) else []
    return Agent(name=node, agent_id=node, model=Scripted(node), tools=tools, callback_handler=None)


def manager():
    if orders["layout"] == "snapshots":
        return SnapshotSessionManager(orders["session"], storage=LocalFileStorage(orders["folder"]))
    return FileSessionManager(orders["session"], storage_dir=orders["folder"])


def orchestrator():
    if orders["kind"] == "swarm":
        return Swarm([agent(node) for node in orders["nodes"]], session_manager=manager(), id=orders["id"])
    builder = GraphBuilder()
    for node in orders["nodes"]:
        builder.add_node(agent(node), node)
    for source, target in orders["edges"]:
        builder.add_edge(source, target)
    builder.set_graph_id(orders["id"])
    builder.set_session_manager(manager())
    return builder.build()


def main() -> None:
    prompt = orders["task"]
    if orders.get("responses"):
        prompt = [{"interruptResponse": {"interruptId": interrupt, "response": response}}
                  for interrupt, response in orders["responses"].items()]
    result = orchestrator()(prompt)
    texts = {node: str(ended.result).strip() for node, ended in result.results.items()}
    interrupts = [interrupt.id for interrupt in result.interrupts]
    print(json.dumps({"status": result.status.value, "results": texts, "interrupts": interrupts}))


main()
