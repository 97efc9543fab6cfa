"""Linters and builders from the Python registry, in virtual environments of the target directory."""

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target").resolve()
VENV = TARGET / "deploy-venv"
# checkov needs an older boto3 than aws-sam-cli.
CHECKOV = TARGET / "checkov-venv"
REQUIREMENTS = {VENV: HERE / "requirements.txt", CHECKOV: HERE / "checkov_requirements.txt"}


def install(venv: Path = VENV) -> Path:
    """Installs an environment, unless it has the versions of its requirements; returns its folder of programs."""
    requirements, installed = REQUIREMENTS[venv], venv / "requirements.txt"
    if not installed.exists() or installed.read_text() != requirements.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
        pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", requirements], check=True)
        installed.write_text(requirements.read_text())
    return venv / "bin"
