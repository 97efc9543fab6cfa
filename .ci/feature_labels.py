#!/usr/bin/env python3
"""Checks the documentation as docs.rs builds it: labels of features, and a page in `strands` for each item of the library.

Builds the published crates with all features, `--cfg docsrs` and the unstable feature `doc_cfg`. Then
- each item or module behind a `#[cfg(feature = ..)]` has the label "Available on crate feature .. only" on its page, which
  names exactly the features that a user may choose;
- each item of the other crates is in the documentation of `strands`, under the same path or in its `models`, `session`, `mcp`, `a2a`, `identity`, `guardrails`, `multiagent`, `telemetry`, `durable` or `serve`.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = ("strands-core", "strands-http", "strands-models", "strands-bedrock", "strands-session", "strands-mcp", "strands-a2a", "strands-guardrails", "strands-identity", "strands-multiagent", "strands-otel", "strands-durable", "strands-serve", "strands-rs")
# Each file with public items behind features, and the folder of their pages.
GATED = {
    "strands-core/src/testing/mod.rs": "strands_core/testing",
    "strands-models/src/lib.rs": "strands_models",
    "strands-session/src/lib.rs": "strands_session",
    "strands-a2a/src/lib.rs": "strands_a2a",
    "strands-identity/src/lib.rs": "strands_identity",
    "strands-durable/src/lib.rs": "strands_durable",
    "strands-serve/src/lib.rs": "strands_serve",
    "strands-rs/src/lib.rs": "strands",
    "strands-rs/src/models/mod.rs": "strands/models",
    "strands-rs/src/session.rs": "strands/session",
}
# The folder in `strands` of the items at a crate's root.
HOMES = {
    "strands_core": "",
    "strands_models": "models/",
    "strands_bedrock": "models/bedrock/",
    "strands_session": "session/",
    "strands_mcp": "mcp/",
    "strands_a2a": "a2a/",
    "strands_identity": "identity/",
    "strands_guardrails": "guardrails/",
    "strands_multiagent": "multiagent/",
    "strands_otel": "telemetry/",
    "strands_durable": "durable/",
    "strands_serve": "serve/",
}
# Internal features that enable others.
PRIVATE = {"_chat", "_http"}
LABEL = re.compile(r"Available on <strong>(.*?)</strong> only")


def build(target: Path) -> Path:
    """Builds the documentation and returns its folder, which no other step writes to."""
    places = {"CARGO_BUILD_BUILD_DIR": str(target), "CARGO_TARGET_DIR": str(target / "docsrs"), "RUSTDOC": str(ROOT / ".ci/unstable_rustdoc")}
    env = {**os.environ, **places, "RUSTDOCFLAGS": "--cfg docsrs -D warnings"}
    for crate in PUBLISHED:
        doc = ["cargo", "doc", "--locked", "--quiet", "-p", crate, "--all-features", "--no-deps"]
        subprocess.run(doc, cwd=ROOT, env=env, check=True)
    return target / "docsrs" / "doc"


def gated(source: str):
    """Yields (features, names) for each public module or re-export behind a feature."""
    for attributes, kind, declared in re.findall(r"((?:#\[(?:[^\[\]]|\[[^\]]*\])*\]\s*)+)pub (use|mod) ([^;{]*(?:\{[^}]*\})?);", source):
        condition = re.search(r"#\[cfg\((.*?)\)\]\s*(?=#|$)", attributes, re.S)
        if not condition or "feature" not in condition[1] or "no_inline" in attributes or declared.endswith("*"):
            continue
        listed = re.search(r"\{(.*)\}", declared, re.S)
        names = re.findall(r"\w+", listed[1]) if listed else [re.split("::| as ", declared)[-1]]
        # Private features have a stated label: the features that users choose.
        stated = re.search(r"doc\(cfg\((.*?)\)\)\s*\)\]", attributes, re.S)
        features = set(re.findall(r'feature = "(\w+)"', (stated or condition)[1]))
        yield features, names


def page(folder: Path, name: str) -> Path | None:
    """The page of a module, or of an item of a module or of the modules in it."""
    module = folder / name / "index.html"
    found = [*folder.glob(f"*.{name}.html"), *folder.glob(f"*/*.{name}.html")]
    return module if module.exists() else next(iter(found), None)


def unlabelled(pages: Path):
    """Yields a problem for each item whose page lacks the label of its features."""
    labels = 0
    for source, folder in GATED.items():
        for features, names in gated((ROOT / source).read_text()):
            for name in names:
                path = page(pages / folder, name)
                if not path:
                    yield f"{folder}/{name} has no page"
                    continue
                label = LABEL.search(path.read_text())
                shown = set(re.findall(r"<code>(\w+)</code>", label[1])) if label else set()
                labels += 1
                if shown != features:
                    yield f"the page of {folder}/{name} names the features {sorted(shown)}, not {sorted(features)}"
    if labels < 50:
        yield f"found only {labels} items behind features"
    for path in pages.rglob("*.html"):
        if any(f"<code>{feature}</code>" in label for label in LABEL.findall(path.read_text()) for feature in PRIVATE):
            yield f"{path.relative_to(pages)} names a private feature"


def items(pages: Path, library: str) -> set[str]:
    """The pages that a crate's list of all items names."""
    listed = (pages / library / "all.html").read_text()
    return {link for link in re.findall(r'<a href="([^"#]+\.html)"', listed) if not link.startswith("..")}


def missing(pages: Path):
    """Yields a problem for each item that `strands` does not have."""
    present = items(pages, "strands")
    for library, home in HOMES.items():
        found = items(pages, library)
        if not found:
            yield f"{library} has no items"
        for link in sorted(found):
            if home + link not in present:
                yield f"{library}/{link} is not in the documentation of strands"


def main() -> None:
    pages = build(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve())
    problems = [*unlabelled(pages), *missing(pages)]
    if problems:
        sys.exit("\n".join(problems))
    print(f"labels of features are shown, and strands documents {len(items(pages, 'strands'))} items")


main()
