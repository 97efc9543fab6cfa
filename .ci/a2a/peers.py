"""A2A servers and clients that others wrote, in the folder of the rigs, and requests to them; see `../mcp/rigs.py`."""

import contextlib
import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "mcp"))
from rigs import NODE, PYTHON, RIGS, ROOT, build, install  # noqa: E402, F401

# Python with a2a-sdk 1.3.0; `PYTHON` has 0.3.26 and Strands.
PYTHON1 = RIGS / "a2a/venv1/bin/python"
CARD = "/.well-known/agent-card.json"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def running(command: list, port: int) -> Iterator[str]:
    """Runs a server until the block ends; yields its URL once it has an agent card."""
    process = subprocess.Popen(command, cwd=RIGS / "a2a", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            with contextlib.suppress(OSError):
                get_json(url + CARD)
                break
            if process.poll() is not None:
                sys.exit(f"{command} did not start: {process.stderr.read()}")
            time.sleep(0.1)
        else:
            sys.exit(f"{command} has no agent card after 30 s")
        yield url
    finally:
        process.kill()
        process.communicate()


def server(python: Path, script: str | Path, *arguments: str) -> contextlib.AbstractContextManager[str]:
    """Runs a script of the rigs, or another one with its path, on a free port."""
    port = free_port()
    return running([python, RIGS / "a2a" / script, str(port), *arguments], port)


def strands() -> contextlib.AbstractContextManager[str]:
    """Strands for Python: protocol 0.3, text as status messages."""
    return server(PYTHON, "strands_server.py")


def strands_compliant() -> contextlib.AbstractContextManager[str]:
    """Strands for Python: protocol 0.3, text as artifact updates."""
    return server(PYTHON, "strands_server.py", "--compliant")


def strands_asking() -> contextlib.AbstractContextManager[str]:
    """Strands for Python, with an agent that interrupts twice."""
    return server(PYTHON, HERE / "asking_server.py", "--compliant")


def sdk03() -> contextlib.AbstractContextManager[str]:
    """a2a-sdk 0.3.26: protocol 0.3."""
    return server(PYTHON, "sdk03_server.py")


def sdk1() -> contextlib.AbstractContextManager[str]:
    """a2a-sdk 1.3.0: protocol 1.0 over JSON-RPC and HTTP+JSON, and 0.3."""
    return server(PYTHON1, "sdk1_server.py")


def get_json(url: str) -> dict:
    with urllib.request.urlopen(url, timeout=10) as response:
        return json.load(response)


def stream(url: str, method: str, params: dict, version: str = "0.3") -> Iterator[dict]:
    """Sends a request of JSON-RPC, and yields the results of its stream."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    headers = {"Content-Type": "application/json", "Accept": "text/event-stream", "A2A-Version": version}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as response:
        for line in response:
            if line.startswith(b"data:"):
                event = json.loads(line.removeprefix(b"data:"))
                if "error" in event:
                    sys.exit(f"{url} {method}: {event['error']}")
                yield event["result"]


def with_fixed_ids(text: str) -> str:
    """Replaces random ids, times and ports, so that recordings change only if the servers do."""
    ids: dict[str, str] = {}
    uuid = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    text = re.sub(uuid, lambda found: ids.setdefault(found.group(), f"id-{len(ids) + 1}"), text)
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+", "2026-11-30T10:00:00.123456", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:9000", text)


def call(url: str, method: str, params: dict, version: str) -> dict:
    """Sends a request of JSON-RPC; returns its result."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    headers = {"Content-Type": "application/json", "A2A-Version": version}
    with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=10) as response:
        found = json.load(response)
    if "error" in found:
        sys.exit(f"{url} {method}: {found['error']}")
    return found["result"]


def becomes(condition, seconds: float = 10) -> bool:
    """Waits until a condition is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
