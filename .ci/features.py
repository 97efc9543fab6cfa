#!/usr/bin/env python3
"""Checks that each feature of each library builds alone, and that each builds without any feature; and that the sample builds as users
start it: all of it without warnings."""

import json
import subprocess
import sys

LIBRARIES = (
    "strands-rs",
    "strands-core",
    "strands-http",
    "strands-models",
    "strands-bedrock",
    "strands-session",
    "strands-mcp",
    "strands-a2a",
    "strands-identity",
    "strands-guardrails",
    "strands-multiagent",
    "strands-otel",
    "strands-durable",
    "strands-serve",
    "strands-testkit",
    "travel-agent",
)
# Features with which the documentation starts the sample.
SAMPLE = ("system", "system,openai", "system,durable")


def check(package: str, *options: str) -> None:
    """Runs `cargo check`, which must not print a warning: about an import that another feature needs, for example."""
    command = ["cargo", "check", "--locked", "-p", package, *options]
    print("+", " ".join(command), flush=True)
    # The warnings are read, as a flag for the compiler would build all dependencies again. They are of the workspace: cargo hides
    # those of dependencies.
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    print(ended.stderr, end="", file=sys.stderr, flush=True)
    if ended.returncode or "\nwarning: " in f"\n{ended.stderr}":
        sys.exit(f"{package} does not build, or not without warnings, with {' '.join(options) or 'its default features'}")


def main() -> None:
    listed = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1", "--locked"], check=True, capture_output=True
    )
    packages = {package["name"]: package for package in json.loads(listed.stdout)["packages"]}
    for name in LIBRARIES:
        check(name, "--no-default-features")
        for feature in sorted(packages[name]["features"]):
            # A feature that begins with an underscore is internal, and builds nothing alone.
            if not feature.startswith("_"):
                check(name, "--no-default-features", "--features", feature)
    for features in SAMPLE:
        check("travel-agent", "--features", features)


main()
