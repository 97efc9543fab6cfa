#!/usr/bin/env python3
"""Checks that the modules of strands-core depend on each other without cycles, in the order of the layers in ARCHITECTURE.md."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "strands-core" / "src"


def layers() -> list[tuple[str, list[str]]]:
    """The rows of the table between the markers, lowest layer first."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    table = re.search(r"<!-- layers -->\n(.*?)<!-- /layers -->", text, re.S)
    if not table:
        sys.exit("ARCHITECTURE.md has no table between <!-- layers --> and <!-- /layers -->")
    rows = [row for row in table.group(1).splitlines() if row.startswith("|")][2:]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return [(row[0], re.findall(r"`(\w+)`", row[1])) for row in reversed(cells)]


def code(path: Path) -> str:
    """The code of a file without its comments and its unit tests."""
    text = path.read_text().split("#[cfg(test)]\nmod tests")[0]
    return re.sub(r"//.*", "", text)


def uses(module: str) -> set[str]:
    """The modules that one names, other than itself."""
    folder = SOURCE / module
    files = [SOURCE / f"{module}.rs"] if not folder.is_dir() else sorted(folder.rglob("*.rs"))
    named = set()
    for path in files:
        text = code(path)
        named |= set(re.findall(r"(?<!\$)\bcrate::(\w+)", text))
        for group in re.findall(r"\bcrate::\{([^}]*)\}", text):
            named |= {re.match(r"\s*(\w*)", part).group(1) for part in group.split(",")}
    return named - {module, ""}


def main() -> None:
    drawn = layers()
    level = {module: at for at, (_, modules) in enumerate(drawn) for module in modules}
    found = {path.stem for path in SOURCE.iterdir() if path.stem != "lib" and (path.is_dir() or path.suffix == ".rs")}
    problems = [f"`{module}` is in no layer" for module in sorted(found - level.keys())]
    problems += [f"`{module}` is in a layer but not in the source" for module in sorted(level.keys() - found)]
    edges = {module: uses(module) for module in sorted(found & level.keys())}
    for module, used in edges.items():
        for other in sorted(used):
            if other not in level:
                problems.append(f"`{module}` uses `crate::{other}`, which is not a module: name the module that has it")
            elif level[other] > level[module]:
                problems.append(f"`{module}` ({drawn[level[module]][0]}) uses `{other}` ({drawn[level[other]][0]})")
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> None:
        if module in path:
            problems.append("a cycle: " + " -> ".join([*path[path.index(module):], module]))
        elif module not in done:
            for other in sorted(edges.get(module, ())):
                visit(other, [*path, module])
            done.add(module)

    for module in edges:
        visit(module, [])
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(edges)} modules in {len(drawn)} layers, no cycle")


main()
