#!/usr/bin/env python3
"""Counts the code of the travel agent that people copy from, by part, and fails if the parts with a limit exceed it together.

The limit is for the agent with its tools, policies and types, its hosts with the command line, and the MCP server. Apart from them,
and without a limit, are the database of the travel desk with its offers, and the outside services (policy documents, weather,
location): a company has its own. Left out are the stand-ins of a laptop: the offline model, the issuer for development, and the
command that starts the whole system. A file that no part names counts to the agent.

Counted are lines of Rust without blank lines, comments and tests.

    .ci/sample_lines.py            prints the number of each file, of each part, and the sum of the parts with the limit
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent / "examples/travel-agent/src"
LIMIT = 2500
LEFT_OUT = ("offline/", "auth/", "system/", "bin/travel-auth.rs")

AGENT = "agent"
HOSTS = "hosts and command line"
MCP_SERVER = "MCP server"
LIMITED = (AGENT, HOSTS, MCP_SERVER)
# Parts of the sample, by the beginnings of their paths.
PARTS = {
    HOSTS: ("cli/", "main.rs"),
    MCP_SERVER: ("mcp_server.rs", "bin/travel-mcp.rs"),
    "database of the travel desk": ("store/",),
    "outside services": ("knowledge/", "location.rs", "services.rs", "weather.rs", "web.rs"),
}


def code_lines(text: str) -> int:
    """Returns the number of lines with code. Test modules are the last item of a file."""
    text = re.split(r"^#\[cfg\(test\)\]\nmod tests \{", text, flags=re.MULTILINE)[0]
    lines = (line.strip() for line in text.splitlines())
    return sum(1 for line in lines if line and not line.startswith("//"))


def main() -> None:
    parts = dict.fromkeys((*LIMITED, *PARTS), 0)
    for path in sorted(ROOT.rglob("*.rs")):
        name = path.relative_to(ROOT).as_posix()
        if name.startswith(LEFT_OUT):
            continue
        lines = code_lines(path.read_text())
        part = next((part for part, begins in PARTS.items() if name.startswith(begins)), AGENT)
        parts[part] += lines
        print(f"{lines:6}  {name}")
    for part, lines in parts.items():
        print(f"{lines:6}  {part}")
    total = sum(parts[part] for part in LIMITED)
    print(f"{total:6}  {', '.join(LIMITED)}: of at most {LIMIT}")
    if total > LIMIT:
        sys.exit(f"{', '.join(LIMITED)} have {total} lines of code together; at most {LIMIT} are allowed")


main()
