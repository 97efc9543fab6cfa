"""The tools of the sessions that the reference client wrote, by the names that the checker imports."""

from strands import ToolContext, tool


@tool(context=True)
def approve(what: str, tool_context: ToolContext) -> str:
    """Asks for an approval."""
    return str(tool_context.interrupt("approval", reason={"what": what}))


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"21C in {city}"


@tool
def fail(x: int) -> str:
    """Always fails."""
    raise ValueError(f"boom {x}")
