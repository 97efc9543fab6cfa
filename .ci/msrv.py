#!/usr/bin/env python3
"""Checks the minimum Rust version: every crate of the workspace states it, and no dependency requires a newer one."""

import json
import re
import subprocess
import sys


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text)[:3])


def main() -> None:
    listed = subprocess.run(["cargo", "metadata", "--format-version", "1", "--locked"], check=True, capture_output=True)
    metadata = json.loads(listed.stdout)
    ours = set(metadata["workspace_members"])
    stated = {package["rust_version"] for package in metadata["packages"] if package["id"] in ours}
    if len(stated) != 1 or None in stated:
        sys.exit(f"our crates state different minimum versions: {stated}")
    minimum = stated.pop()
    newer = [
        f"{package['name']} {package['version']} needs {package['rust_version']}"
        for package in metadata["packages"]
        if package["rust_version"] and version(package["rust_version"]) > version(minimum)
    ]
    if newer:
        sys.exit(f"the minimum is {minimum}, but " + "; ".join(newer))
    print(f"minimum Rust version {minimum}: {len(metadata['packages'])} packages agree")


main()
