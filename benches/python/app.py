"""FastAPI with Strands for Python: the same work as the other sides of `hosts throughput`. Prints its port.

usage: app.py memory|FOLDER
"""

import json
import socket
import sys
import time
import uuid

import uvicorn
from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from strands import Agent
from strands.models import Model
from strands.session.file_session_manager import FileSessionManager

SESSIONS = sys.argv[1]
MESSAGES: dict[str, list] = {}


class Answering(Model):
    """Responds as the prompt says: `20 0 0` asks for 20 deltas at once."""

    def update_config(self, **config):
        pass

    def get_config(self):
        return {"model_id": "answering"}

    def structured_output(self, output_model, prompt, system_prompt=None, **kwargs):
        raise NotImplementedError

    async def stream(self, messages, tool_specs=None, system_prompt=None, **kwargs):
        deltas = int(messages[-1]["content"][0]["text"].split(" ")[0])
        yield {"messageStart": {"role": "assistant"}}
        for _ in range(deltas):
            yield {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "word "}}}
        yield {"contentBlockStop": {"contentBlockIndex": 0}}
        yield {"messageStop": {"stopReason": "end_turn"}}
        usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
        yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 1}}}


class Body(BaseModel):
    prompt: str
    session_id: str | None = None
    new_session: bool = False


# As the other sides write JSON.
COMPACT = (",", ":")
MODEL = Answering()
app = FastAPI()


def session(authorization: str | None, body: Body) -> str:
    user = (authorization or "").removeprefix("Bearer ")
    if not user:
        raise HTTPException(401)
    if body.session_id is not None and not body.session_id.startswith(user + "."):
        raise HTTPException(404)
    return body.session_id or (f"{user}.{uuid.uuid4()}" if body.new_session else f"{user}.default")


def agent_of(session_id: str) -> Agent:
    if SESSIONS == "memory":
        # The agent appends to the list.
        messages = MESSAGES.setdefault(session_id, [])
        return Agent(model=MODEL, messages=messages, callback_handler=None)
    manager = FileSessionManager(session_id=session_id, storage_dir=SESSIONS)
    return Agent(model=MODEL, session_manager=manager, callback_handler=None)


def response_of(result, session_id: str) -> dict:
    usage = result.metrics.accumulated_usage
    text = str(result)
    return {
        "text": text.rstrip("\n"),
        "message": result.message,
        "stop_reason": result.stop_reason,
        "usage": usage,
        "session_id": session_id,
    }


@app.post("/prompt")
async def prompt(body: Body, authorization: str | None = Header(default=None)):
    session_id = session(authorization, body)
    return response_of(await agent_of(session_id).invoke_async(body.prompt), session_id)


@app.post("/prompt/stream")
async def prompt_stream(body: Body, authorization: str | None = Header(default=None)):
    session_id = session(authorization, body)
    agent = agent_of(session_id)

    def encoded(event: dict) -> str:
        return f"data: {json.dumps(event, separators=COMPACT)}\n\n"

    async def events():
        invocation_id = f"{time.time_ns():x}"
        start = {"version": 1, "invocation_id": invocation_id, "agent_id": "default", "agent_name": "Strands Agents"}
        yield encoded({"type": "start", **start, "session_id": session_id})
        yield encoded({"type": "message", "message": {"role": "user", "content": [{"text": body.prompt}]}})
        async for event in agent.stream_async(body.prompt):
            if "data" in event:
                yield encoded({"type": "text_delta", "text": event["data"]})
            elif event.get("start_event_loop"):
                yield encoded({"type": "cycle_start", "cycle": 1})
            elif "message" in event:
                yield encoded({"type": "message", "message": event["message"]})
            elif "result" in event:
                yield encoded({"type": "result", "response": response_of(event["result"], session_id)})

    return StreamingResponse(events(), media_type="text/event-stream")


listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1024)
print(listener.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])
