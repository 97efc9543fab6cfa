#!/usr/bin/env python3
"""Checks that each feature of each library builds alone, and that each builds without any feature."""

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
    "strands-identity",
    "strands-guardrails",
    "strands-otel",
    "strands-durable",
    "strands-serve",
    "strands-testkit",
    "travel-agent",
)


def main() -> None:
    listed = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1", "--locked"], check=True, capture_output=True
    )
    packages = {package["name"]: package for package in json.loads(listed.stdout)["packages"]}
    for name in LIBRARIES:
        # A feature that begins with an underscore is internal, and builds nothing alone.
        chosen = [feature for feature in sorted(packages[name]["features"]) if not feature.startswith("_")]
        for feature in [None, *chosen]:
            check = ["cargo", "check", "--locked", "-p", name, "--no-default-features"]
            check += ["--features", feature] if feature else []
            print("+", " ".join(check), flush=True)
            ended = subprocess.run(check, stderr=subprocess.PIPE, text=True)
            print(ended.stderr, end="", file=sys.stderr, flush=True)
            if ended.returncode:
                sys.exit(f"{name} does not build with {feature or 'no features'} alone")
            # An import that one feature needs, for example. A flag for the compiler would build all dependencies again.
            if "\nwarning: " in f"\n{ended.stderr}":
                sys.exit(f"{name} has warnings with {feature or 'no features'} alone")


main()
