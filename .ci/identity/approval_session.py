"""An agent of Python Strands whose tool needs an approval, by the intervention `HumanInTheLoop`.

usage: approval_session.py <folder> <session id> prompt <number of calls>
       approval_session.py <folder> <session id> respond <word> [<interrupt id>]

Prints the end of the invocation as JSON. A run of the tool is a line in the file `ledger` of the folder.
"""

import json
import sys
from pathlib import Path

from strands import Agent, tool
from strands.models.model import Model
from strands.session.file_session_manager import FileSessionManager
from strands.vended_interventions.hitl import HumanInTheLoop

FOLDER, SESSION, COMMAND, *ARGS = sys.argv[1:]


class Scripted(Model):
    """Calls the tool some times at once, and then responds with a text."""

    def __init__(self, calls: int) -> None:
        self.calls = calls

    def update_config(self, **config) -> None:
        pass

    def get_config(self) -> dict:
        return {"model_id": "scripted"}

    async def structured_output(self, *args, **kwargs):
        raise NotImplementedError
        yield

    async def stream(self, messages, tool_specs=None, system_prompt=None, **kwargs):
        calls, self.calls = self.calls, 0
        yield {"messageStart": {"role": "assistant"}}
        for number in range(calls):
            start = {"toolUse": {"name": "pay", "toolUseId": f"call_{len(messages)}_{number}"}}
            yield {"contentBlockStart": {"start": start}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": json.dumps({"price": 900 + number})}}}}
            yield {"contentBlockStop": {}}
        if not calls:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": "done in Python"}}}
            yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if calls else "end_turn"}}
        yield {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {"latencyMs": 1}}}


@tool
def pay(price: int) -> str:
    """Pays."""
    with Path(FOLDER, "ledger").open("a") as ledger:
        ledger.write(f"Python {price}\n")
    return f"paid {price}"


calls = int(ARGS[0]) if COMMAND == "prompt" else 0
agent = Agent(
    model=Scripted(calls), agent_id="main", tools=[pay], callback_handler=None,
    interventions=[HumanInTheLoop(enable_trust=True)],
    session_manager=FileSessionManager(SESSION, storage_dir=FOLDER),
)
if COMMAND == "prompt":
    result = agent("Pay it.")
else:
    word, *ids = ARGS
    ids = ids or [key for key, interrupt in agent._interrupt_state.interrupts.items() if interrupt.response is None]
    result = agent([{"interruptResponse": {"interruptId": key, "response": word}} for key in ids])
print(json.dumps({
    "stop_reason": result.stop_reason,
    "interrupts": [interrupt.id for interrupt in result.interrupts or []],
    "text": str(result).strip(),
    "trusted": agent.state.get("hitl:trusted_tools"),
    "messages": len(agent.messages),
}))
