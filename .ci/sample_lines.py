#!/usr/bin/env python3
"""Counts the code of the travel agent that people copy from: the agent, its hosts, the MCP server and their store.

Lines of Rust without blank lines, comments and tests. The stand-ins of a laptop are left out: the offline model, the
issuer for development, and the command that starts the whole system. Fails above LIMIT.

    .ci/sample_lines.py            prints the number of each file, of each part, and the sum
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "examples/travel-agent/src"
LIMIT = 2500
# Below these, and the programs that start them.
LEFT_OUT = ("offline/", "auth/", "system/", "bin/travel-auth.rs", "private_file.rs")


# Parts of the sample, by the beginnings of their paths. What has no part is the agent's.
PARTS = {
    "command line and hosts": ("cli/", "main.rs"),
    "MCP server": ("mcp_server.rs", "bin/travel-mcp.rs"),
    "store": ("store/", "policy.rs", "trip.rs"),
    "services": ("knowledge/", "location.rs", "services.rs", "weather.rs", "web.rs"),
}


def code_lines(text: str) -> int:
    """Returns the number of lines with code. Test modules are the last item of a file."""
    text = re.split(r"^#\[cfg\(test\)\]\nmod tests \{", text, flags=re.MULTILINE)[0]
    lines = (line.strip() for line in text.splitlines())
    return sum(1 for line in lines if line and not line.startswith("//"))


def main() -> None:
    parts: dict[str, int] = {}
    for path in sorted(ROOT.rglob("*.rs")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(LEFT_OUT):
            continue
        lines = code_lines(path.read_text())
        part = next((part for part, begins in PARTS.items() if name.startswith(begins)), "agent")
        parts[part] = parts.get(part, 0) + lines
        print(f"{lines:6}  {name}")
    for part, lines in parts.items():
        print(f"{lines:6}  {part}")
    total = sum(parts.values())
    print(f"{total:6}  of at most {LIMIT}")
    if total > LIMIT:
        sys.exit(f"the sample has {total} lines of code; at most {LIMIT} are allowed")


main()
