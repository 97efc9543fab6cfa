#!/usr/bin/env python3
"""The rigs: runners of the conformance suite, and servers and clients that others wrote. They are in the folder RIGS_HOME, by
default `~/.cache/strands-rigs`; what is missing is installed by `$STRANDS_SHARED/rigs/setup.sh`.

    .ci/mcp/rigs.py PART ..     installs the parts `js` and `python`, and prints the folder
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RIGS = Path(os.environ.get("RIGS_HOME") or Path.home() / ".cache" / "strands-rigs").resolve()
NODE = RIGS / "js-22/node_modules/.bin/node"
PYTHON = RIGS / "venv/bin/python"
SUITE = "node_modules/@modelcontextprotocol/conformance"
# Files of each part.
PARTS = {
    "js": [
        NODE,
        RIGS / "js/loopback.cjs",
        RIGS / "js-22" / SUITE / "dist/index.js",
        RIGS / "js-base" / SUITE / "dist/index.js",
        RIGS / "js-base/node_modules/@modelcontextprotocol/server-everything/dist/index.js",
    ],
    "python": [PYTHON, RIGS / "sessions/scripted.py"],
    "a2a": [RIGS / "a2a/venv1/bin/python", RIGS / "a2a/sdk1_server.py"],
}


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Keeps other runs from installing at the same time."""
    RIGS.parent.mkdir(parents=True, exist_ok=True)
    with open(RIGS.with_name(f"{RIGS.name}.lock"), "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def install(*parts: str) -> None:
    """Installs the parts that are missing."""
    with locked():
        missing = [part for part in parts if not all(file.exists() for file in PARTS[part])]
        if not missing:
            return
        shared = os.environ.get("STRANDS_SHARED")
        if not shared:
            sys.exit(f"{', '.join(missing)} missing in {RIGS}: set STRANDS_SHARED to install")
        setup = [f"{shared}/rigs/setup.sh", *missing]
        # This Python is known to work; another one on the path may be a shim for nothing.
        environment = {"PY": sys.executable} | os.environ | {"RIGS_HOME": str(RIGS)}
        subprocess.run(setup, env=environment, check=True, stdout=sys.stderr)
        for file in (file for part in missing for file in PARTS[part] if not file.exists()):
            sys.exit(f"{' '.join(setup)} has not installed {file}: delete its folder and try again")


def build(example: str) -> Path:
    """Builds an example, with the features of the whole workspace; returns its path."""
    command = ["cargo", "build", "--quiet", "--workspace", "--all-features", "--example", example]
    command.append("--message-format=json-render-diagnostics")
    lines = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return next(Path(built["executable"]) for built in map(json.loads, lines) if built.get("executable"))


@contextlib.contextmanager
def server(program: Path) -> Iterator[str]:
    """Runs `conformance_server` on a free port; yields its URL."""
    process = subprocess.Popen([program], stderr=subprocess.PIPE, text=True)
    try:
        url = process.stderr.readline().strip()
        if not url.startswith("http://"):
            sys.exit(f"{program} did not start: {url}{process.stderr.read()}")
        yield url
        if process.poll() is not None:
            sys.exit(f"{program} ended with {process.returncode}: {process.stderr.read()}")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    install(*sys.argv[1:])
    print(RIGS)
