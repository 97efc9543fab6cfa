#!/usr/bin/env python3
"""Checks that each feature of each library builds alone, and that each builds without any feature; and that the sample builds without
warnings as users start it."""

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
            if subprocess.run(check).returncode:
                sys.exit(f"{name} does not build with {feature or 'no features'} alone")
    for features in SAMPLE:
        check = ["cargo", "check", "--locked", "-p", "travel-agent", "--features", features]
        print("+", " ".join(check), flush=True)
        ended = subprocess.run(check, stderr=subprocess.PIPE, text=True)
        print(ended.stderr, end="", file=sys.stderr, flush=True)
        # An import that another feature needs, for example. A flag for the compiler would build all dependencies again.
        if ended.returncode or "\nwarning: " in f"\n{ended.stderr}":
            sys.exit(f"travel-agent does not build, or not without warnings, with {features}")


main()
