"""An A2A server of Strands for Python whose agent asks twice before it books: `asking_server.py PORT [--compliant]`."""

import sys

from strands import Agent, ToolContext, tool
from strands.models.model import Model
from strands.multiagent.a2a import A2AServer


@tool(context=True)
def book(city: str, tool_context: ToolContext) -> str:
    """Books a flight.

    Args:
        city: The city.
    """
    approval = tool_context.interrupt("approval", reason={"price": 120, "city": city})
    if approval != "yes":
        return "refused"
    seat = tool_context.interrupt("seat", reason="window or aisle?")
    return f"booked {seat}"


class Booker(Model):
    """Books, and then repeats the result of the tool."""

    def update_config(self, **_) -> None:
        pass

    def get_config(self) -> dict:
        return {"model_id": "booker"}

    async def structured_output(self, *_, **__):
        raise NotImplementedError
        yield

    async def stream(self, messages, *_, **__):
        result = next((block["toolResult"] for block in messages[-1]["content"] if "toolResult" in block), None)
        yield {"messageStart": {"role": "assistant"}}
        if result is None:
            yield {"contentBlockStart": {"start": {"toolUse": {"name": "book", "toolUseId": f"call-{len(messages)}"}}}}
            yield {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"city": "Oslo"}'}}}}
        else:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": f"The tool said: {result['content'][0]['text']}"}}}
        yield {"contentBlockStop": {}}
        yield {"messageStop": {"stopReason": "tool_use" if result is None else "end_turn"}}
        yield {"metadata": {"usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {"latencyMs": 1}}}


def agent(_context: str) -> Agent:
    return Agent(name="Booker", description="Books flights", model=Booker(), tools=[book], callback_handler=None)


compliant = "--compliant" in sys.argv
A2AServer(agent_factory=agent, host="127.0.0.1", port=int(sys.argv[1]), enable_a2a_compliant_streaming=compliant).serve()
