"""Checks that the deployments fit the programs: names of variables and features, descriptions, and use of parameters."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import hcl2
import yaml
from policies import Loader
from terraform_policies import plain
from tools import HERE, ROOT

VARIABLE = re.compile(r"\b(?:TRAVEL|STRANDS)_[A-Z0-9_]+\b")
FEATURES = re.compile(r"(?:FEATURES\s*[:=]+\s*)([a-z0-9,-]+)")


def check(deploy: Path, templates: list[Path]) -> str:
    """Exits with the problems, or returns a summary."""
    problems = [problem for path in templates for problem in of_template(path)]
    problems += of_terraform(deploy / "terraform")
    names, missing = variables(deploy)
    problems += missing
    features, unknown = of_features(deploy)
    problems += unknown
    problems += builders(deploy / "Dockerfile")
    problems += costs(deploy / "costs.py")
    if problems:
        sys.exit("\n".join(["FAILED: deployments and programs", *problems]))
    return f"contract: {len(names)} variables and {len(features)} features exist in the programs; parameters and outputs are described"


def of_template(path: Path) -> list[str]:
    text = path.read_text()
    body = yaml.load(text, Loader)  # noqa: S506 - a safe loader
    problems = []
    for kind in ("Parameters", "Outputs"):
        problems += [f"{path}: {name} has no description" for name, item in body[kind].items() if not item.get("Description")]
    for name in body["Parameters"]:
        used = re.search(rf"!Ref {name}\b|\$\{{{name}\}}", text)
        if not used:
            problems.append(f"{path}: the parameter {name} is not used")
    return problems


def of_terraform(folder: Path) -> list[str]:
    problems = []
    texts = {path: path.read_text() for path in sorted(folder.glob("*.tf"))}
    for path, text in texts.items():
        body = plain(hcl2.loads(text))
        for kind in ("variable", "output"):
            for block in body.get(kind, []):
                problems += [f"{path}: {name} has no description" for name, item in block.items() if not item.get("description")]
        for block in body.get("variable", []):
            for name in block:
                if not any(re.search(rf"\bvar\.{name}\b", other) for where, other in texts.items() if where != path):
                    problems.append(f"{path}: the variable {name} is not used")
    return problems


def variables(deploy: Path) -> tuple[set, list]:
    named = {}
    for path in sorted(deploy.rglob("*")):
        if path.is_file() and path.suffix in (".yaml", ".tf", "") and "secrets" not in path.parts:
            for name in VARIABLE.findall(path.read_text()):
                named.setdefault(name, path)
    sources = [*ROOT.glob("examples/travel-agent/src/**/*.rs"), *ROOT.glob("strands-*/src/**/*.rs")]
    known = {name for source in sources for name in VARIABLE.findall(source.read_text())}
    return named.keys(), [f"{path}: no program reads {name}" for name, path in named.items() if name not in known]


def of_features(deploy: Path) -> tuple[set, list]:
    declared = tomllib.loads((ROOT / "examples/travel-agent/Cargo.toml").read_text())["features"]
    named = {}
    for path in (deploy / "Dockerfile", deploy / "sam/Makefile"):
        for features in FEATURES.findall(path.read_text()):
            named |= {feature: path for feature in features.split(",")}
    return named.keys(), [f"{path}: the sample has no feature {feature}" for feature, path in named.items() if feature not in declared]


def builders(dockerfile: Path) -> list[str]:
    """The Dockerfile compiles with the versions that `image` compiles with."""
    tested = set((HERE / "requirements.txt").read_text().splitlines())
    pinned = re.findall(r"\b(?:cargo-zigbuild|ziglang)==\S+", dockerfile.read_text())
    return [f"{dockerfile}: {version} is not that of requirements.txt" for version in pinned if version not in tested]


def costs(script: Path) -> list[str]:
    """The page about costs has the table of the script."""
    printed = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True).stdout
    table = "\n".join(line for line in printed.splitlines() if line.startswith("|"))
    page = ROOT / "docs/src/costs.md"
    return [] if table in page.read_text() else [f"{page}: its table is not that of {script.name}"]
