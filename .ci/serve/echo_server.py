"""The example `echo_server` as a process, and tokens for it; imported by the checks beside it."""

import base64
import contextlib
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SECRET = "a secret of at least thirty-two bytes"


def build(*options: str, example: str = "echo_server") -> Path:
    """Builds the example, and returns its program. `options` are of Cargo, such as `--release`."""
    command = ["cargo", "build", "-q", "--workspace", "--all-features", "--example", example, *options]
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit("the example does not build")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return target / ("release" if "--release" in options else "debug") / "examples" / example


class Server:
    """A running server. Its log is empty unless something panics."""

    prefix = "ECHO"

    def __init__(self, program: Path, address: str = "127.0.0.1:0", **variables: object) -> None:
        # The port of a server that has just ended may be taken for a moment.
        environment = os.environ | {f"{self.prefix}_{name}": str(value) for name, value in variables.items()}
        self.process = subprocess.Popen(
            [program, address], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        if not line.startswith("listening on "):
            sys.exit(f"the server did not start: {line}{self.process.communicate()[1]}")
        self.url = line.removeprefix("listening on ").strip()
        host, port = self.url.partition("://")[2].rsplit(":", 1)
        self.address = (host, int(port))

    def memory(self) -> int:
        """Returns the resident memory, in KiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:")))

    def stop(self, number: int = signal.SIGTERM, seconds: float = 60) -> str:
        """Sends a signal, and returns the last line of the output."""
        self.process.send_signal(number)
        output, log = self.process.communicate(timeout=seconds)
        if "panicked" in log:
            sys.exit(f"the server panicked:\n{log}")
        return output.strip()


@contextlib.contextmanager
def running(program: Path, **variables: object) -> Iterator[Server]:
    server = Server(program, **variables)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def token(subject: str, **claims: object) -> str:
    """Returns a token of a user."""

    def part(value: bytes) -> str:
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    now = int(time.time())
    claims = {"iss": "echo", "aud": "echo", "sub": subject, "iat": now, "exp": now + 3600} | claims
    signed = ".".join(part(json.dumps(it).encode()) for it in ({"alg": "HS256", "typ": "JWT"}, claims))
    return f"{signed}.{part(hmac.digest(SECRET.encode(), signed.encode(), hashlib.sha256))}"
