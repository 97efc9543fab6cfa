"""The echo agent of `strands-serve/examples/agentcore_echo.rs` on the server of `bedrock-agentcore`.

    agentcore_server.py PORT
"""

import asyncio
import sys

from bedrock_agentcore import BedrockAgentCoreApp

app = BedrockAgentCoreApp(debug=True)
cancelled = asyncio.Event()


async def events(prompt: str):
    if prompt == "fail":
        raise RuntimeError("failed as requested")
    if prompt == "stall":
        yield {"type": "text_delta", "text": "The first words"}
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise
    for word in prompt.split(" "):
        yield {"type": "text_delta", "text": word}
    yield {"type": "result"}


@app.entrypoint
async def invoke(payload, context):
    prompt = payload["prompt"]
    if payload.get("stream"):
        return events(prompt)
    if prompt == "headers":
        return {"result": " ".join(sorted(name.lower() for name in context.request_headers))}
    if prompt == "start_task":
        app.add_async_task("endless")
        return {"result": "started"}
    if prompt == "was the stalled prompt cancelled?":
        return {"result": str(cancelled.is_set())}
    if prompt == "fail":
        raise RuntimeError("failed as requested")
    return {"result": prompt}


@app.websocket
async def websocket(socket, context):
    await socket.accept()
    while True:
        payload = await socket.receive_json()
        async for event in events(payload["prompt"]):
            await socket.send_json(event)


app.run(port=int(sys.argv[1]), host="127.0.0.1")
