"""Runs the collector of the rigs, and the agent `otel_rig` that exports to it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "mcp"))
from rigs import PYTHON, RIGS, build, install  # noqa: E402, F401


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Collector:
    def __init__(self, http: int, grpc: int) -> None:
        self.http, self.grpc = f"http://127.0.0.1:{http}", f"http://127.0.0.1:{grpc}"

    def get(self, path: str) -> list[dict]:
        with urllib.request.urlopen(f"{self.http}/__otel/{path}", timeout=5) as response:
            return json.load(response)

    def reset(self) -> None:
        request = urllib.request.Request(f"{self.http}/__otel/reset", data=b"", method="POST")
        urllib.request.urlopen(request, timeout=5).read()

    def run(self, program: Path, scenario: str, protocol: str = "http/protobuf", opt_in: str = "") -> dict:
        """Runs an agent that exports to the collector; returns what it printed."""
        self.reset()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.grpc if protocol == "grpc" else self.http,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20of-the-rig",
            "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip" if opt_in else "none",
            # A proxy that does not exist: this machine is reached without one.
            "HTTP_PROXY": "http://127.0.0.1:9",
            "NO_PROXY": "",
            "no_proxy": "",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_SERVICE_NAME": "rig",
            "OTEL_SEMCONV_STABILITY_OPT_IN": opt_in,
            "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
        }
        ran = subprocess.run([program, scenario], env=environment, stdout=subprocess.PIPE, check=True, timeout=60)
        return json.loads(ran.stdout)


@contextlib.contextmanager
def collector() -> Iterator[Collector]:
    """Runs the collector on free ports."""
    install("python")
    found = Collector(free_port(), free_port())
    ports = [url.rsplit(":", 1)[1] for url in (found.http, found.grpc)]
    command = [PYTHON, RIGS / "otel/receiver.py", *ports]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            if process.poll() is not None:
                sys.exit(f"the collector ended with {process.returncode}")
            with contextlib.suppress(OSError):
                found.get("spans")
                break
            time.sleep(0.1)
        else:
            sys.exit("the collector did not start")
        yield found
    finally:
        process.terminate()
        process.wait()
