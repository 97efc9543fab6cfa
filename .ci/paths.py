#!/usr/bin/env python3
"""Checks that files which the pages for contributors name exist.

A path in backticks is one from the root, or the end of the path of exactly one file or folder below a crate's `src`. A name
without a folder may be that of several files; if its paragraph names crates, one of them has it.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = ("ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "VERSIONING.md", "docs/src/security.md")
NAMED = re.compile(r"`([\w.-]+(?:/[\w.-]+)*/?)`")
ENDING = re.compile(r"\.(rs|py|md|toml|json|txt)$")
CRATE = re.compile(r"`(strands-[a-z]+)[`/]")


def main() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, text=True, capture_output=True).stdout.split()
    known = set(listed) | {str(parent) for path in listed for parent in Path(path).parents}
    problems = []
    count = 0
    for page in PAGES:
        line = 1
        for paragraph in re.split(r"(\n(?=\n|\d\. |- ))", (ROOT / page).read_text()):
            for found in NAMED.finditer(paragraph):
                name = found[1].rstrip("/")
                first = name.split("/")[0]
                if not ENDING.search(name) and not ("/" in name and (ROOT / first).exists()):
                    continue
                count += 1
                ends = [path for path in known if f"/{path}".endswith(f"/{name}") and "/src/" in f"/{path}"]
                crates = set(CRATE.findall(paragraph))
                if "/" not in name and crates:
                    ends = [path for path in ends if path.split("/")[0] in crates]
                if name not in known and (not ends or ("/" in name and len(ends) > 1)):
                    at = line + paragraph.count("\n", 0, found.start())
                    problems.append(f"{page}:{at}: `{name}` is {'no file' if not ends else 'the end of ' + ', '.join(sorted(ends))}")
            line += paragraph.count("\n")
    if problems:
        sys.exit("\n".join(problems))
    print(f"{count} paths in {len(PAGES)} pages exist")


main()
