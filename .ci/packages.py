#!/usr/bin/env python3
"""Checks the packages that `cargo publish` would upload, and builds a program against them.

- Each has a license, a readme, the metadata of a registry, and source alone: no tests, their data, benches or fuzz seeds.
- No package depends on a crate that is not published, and they are those of `workspace.metadata.publish`, in its order.
- A program outside of the workspace builds against the unpacked packages, and finds each re-export of `external_types.py`.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
# Allowed files of a package, other than Rust and Cargo files.
DATA = {"strands-core": {"src/schema_validation/pattern/unicode_categories.txt"}}
CARGO = {"Cargo.toml", "Cargo.toml.orig", ".cargo_vcs_info.json", "LICENSE", "README.md"}
METADATA = ("description", "license", "repository", "readme", "rust-version", "keywords", "categories")
MOST_BYTES = 2 * 1024 * 1024


def package() -> None:
    """Packages the whole workspace, with unpublished crates, so that warnings about their manifests are found, too."""
    cargo = ["cargo", "package", "--workspace", "--no-verify", "--locked", "--exclude-lockfile", "--allow-dirty"]
    run = subprocess.run(cargo, cwd=ROOT, text=True, capture_output=True)
    warnings = [line for line in run.stderr.splitlines() if line.startswith("warning") and "is not included in the published package" not in line]
    if run.returncode or warnings:
        sys.exit(run.stderr)


def unpack(crates: list[str], version: str) -> dict[str, Path]:
    folder = TARGET / "unpacked"
    shutil.rmtree(folder, ignore_errors=True)
    for crate in crates:
        with tarfile.open(TARGET / "package" / f"{crate}-{version}.crate") as packed:
            packed.extractall(folder, filter="data")
    return {crate: folder / f"{crate}-{version}" for crate in crates}


def problems(crate: str, folder: Path, earlier: list[str]):
    """Yields the problems of a package."""
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    for file in sorted(files - CARGO - DATA.get(crate, set())):
        is_page = crate == "strands-serve" and re.fullmatch(r"ui/.+\.(css|html|js|svg)", file)
        if not is_page and not re.fullmatch(r"src/.+\.rs", file):
            yield f"holds {file}"
    yield from (f"lacks {file}" for file in sorted(CARGO - files))
    if "LICENSE" in files and (folder / "LICENSE").read_bytes() != (ROOT / "LICENSE").read_bytes():
        yield "has another license text than the repository"
    links = re.findall(r"\]\((?!https://|#)[^)]*\)", (folder / "README.md").read_text()) if "README.md" in files else []
    yield from (f"has a relative link in its readme: {link[2:-1]}" for link in links)
    size = sum((folder / file).stat().st_size for file in files)
    if size > MOST_BYTES:
        yield f"has {size} bytes"
    manifest = tomllib.loads((folder / "Cargo.toml").read_text())
    yield from (f"does not state its {key}" for key in METADATA if not manifest["package"].get(key))
    documented = manifest["package"].get("metadata", {}).get("docs", {}).get("rs", {})
    if not documented.get("all-features") or documented.get("rustdoc-args") != ["--cfg", "docsrs"]:
        yield "is not documented with all features and `--cfg docsrs` on docs.rs"
    for table in ("dependencies", "build-dependencies", "dev-dependencies"):
        for name, dependency in manifest.get(table, {}).items():
            if not isinstance(dependency, dict) or "version" not in dependency or "path" in dependency:
                yield f"has no version for {name}"
            elif name.startswith("strands-") and name not in earlier:
                yield f"depends on {name}, which is not published before it"


def consumer(packages: dict[str, Path]) -> None:
    """Builds a program against the packages, with all features and the versions of the workspace."""
    project = TARGET / "packaged-consumer"
    (project / "src").mkdir(parents=True, exist_ok=True)
    manifest = tomllib.loads((packages["strands-rs"] / "Cargo.toml").read_text())
    version, features = manifest["package"]["version"], json.dumps(sorted(manifest["features"]))
    patches = "".join(f'{crate} = {{ path = "{folder}" }}\n' for crate, folder in packages.items())
    (project / "Cargo.toml").write_text(
        '[package]\nname = "packaged-consumer"\nversion = "0.0.0"\nedition = "2024"\n\n[workspace]\n\n'
        f'[dependencies]\nstrands-rs = {{ version = "={version}", features = {features} }}\n\n[patch.crates-io]\n{patches}'
    )
    paths = subprocess.run([ROOT / ".ci/external_types.py", "--paths"], check=True, text=True, capture_output=True).stdout.split()
    uses = "".join(f"    pub use {path} as Item{index};\n" for index, path in enumerate(paths))
    program = (ROOT / ".ci/consumers/packaged.rs").read_text()
    (project / "src" / "lib.rs").write_text(f"{program}\npub mod named {{\n{uses}}}\n")
    shutil.copy(ROOT / "Cargo.lock", project / "Cargo.lock")
    env = {**os.environ, "CARGO_TARGET_DIR": str(TARGET)}
    if subprocess.run(["cargo", "check", "--quiet", "--offline"], cwd=project, env=env).returncode:
        sys.exit("a program does not build against the packages")
    print(f"a program builds against the packages, and finds {len(paths)} re-exports")


def main() -> None:
    workspace = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]
    order = workspace["metadata"]["publish"]["order"]
    package()
    packages = unpack(order, workspace["package"]["version"])
    found = [f"{crate} {problem}" for at, crate in enumerate(order) for problem in problems(crate, packages[crate], order[:at])]
    public = {path.parent.name for path in ROOT.glob("strands-*/Cargo.toml") if "publish = false" not in path.read_text()}
    found += [f"{crate} is published, but has no place in the order" for crate in sorted(public - set(order))]
    if found:
        sys.exit("\n".join(found))
    print(f"{len(order)} packages have what they need, and no more")
    consumer(packages)


main()
