"""The OIDC issuer of the rigs as a process; imported by the checks that need tokens of others."""

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "mcp"))
from rigs import PYTHON, RIGS  # noqa: E402


@contextlib.contextmanager
def issuer() -> Iterator[str]:
    """Runs the issuer on a free port; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([PYTHON, RIGS / "oidc/oidc.py", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            if process.poll() is not None:
                sys.exit(f"the issuer ended with {process.returncode}")
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/__stats", timeout=1):
                break
            time.sleep(0.1)
        else:
            sys.exit("the issuer did not start")
        yield url
    finally:
        process.terminate()
        process.wait()
