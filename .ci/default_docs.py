#!/usr/bin/env python3
"""Checks `cargo doc` on default features: it lists the model and builder of each provider, with the feature to turn on."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILDERS = re.compile(r"^pub struct (\w+ModelBuilder)\b", re.M)


def builders() -> dict[str, str]:
    """The builders of all providers, and their features."""
    found = {}
    for path in [*ROOT.glob("strands-models/src/*/**/*.rs"), *ROOT.glob("strands-bedrock/src/*.rs")]:
        crate, *rest = path.relative_to(ROOT).parts
        feature = "bedrock" if crate == "strands-bedrock" else rest[1]
        found |= {builder: feature for builder in BUILDERS.findall(path.read_text())}
    return found


def main() -> None:
    flags = {**os.environ, "RUSTDOCFLAGS": "-D warnings"}
    subprocess.run(["cargo", "doc", "-p", "strands-rs", "--no-deps", "--locked"], cwd=ROOT, env=flags, check=True)
    pages = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "doc" / "strands" / "models"
    listed = (pages / "index.html").read_text()
    expected = builders()
    if len(expected) < 9:
        sys.exit(f"found only these builders: {expected}")
    problems = []
    for builder, feature in expected.items():
        for name in (builder, builder.removesuffix("Builder")):
            page = pages / f"struct.{name}.html"
            if not page.exists():
                problems.append(f"{name} has no page")
            elif f"<strong>crate feature <code>{feature}</code></strong>" not in page.read_text():
                problems.append(f"the page of {name} does not name the feature {feature}")
            if f"struct.{name}.html" not in listed:
                problems.append(f"the table of models does not name {name}")
    if problems:
        sys.exit("\n".join(problems))
    print(f"{len(expected)} builders are in the documentation on default features")


main()
