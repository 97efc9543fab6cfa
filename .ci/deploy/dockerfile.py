"""The last stage of a Dockerfile: its settings, and its files from this machine."""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

# Files that the Dockerfile takes from the base image, and their like on this machine.
BASE = {
    "/etc/ssl/certs/ca-certificates.crt": Path("/etc/ssl/certs/ca-certificates.crt"),
    "/usr/share/zoneinfo": Path("/usr/share/zoneinfo"),
    "/etc/passwd": "nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    "/etc/group": "nonroot:x:65532:\n",
}


@dataclass
class Image:
    copies: list = field(default_factory=list)
    environment: dict = field(default_factory=dict)
    arguments: dict = field(default_factory=dict)
    volumes: list = field(default_factory=list)
    entrypoint: list = field(default_factory=list)
    uid: str = "0"
    gid: str = "0"

    @classmethod
    def read(cls, path: Path, stage: str) -> "Image":
        """Reads the instructions of a stage and of those that it is made from, down to `scratch`."""
        text = re.sub(r"^\s*#.*\n", "", path.read_text(), flags=re.M).replace("\\\n", " ")
        stages, current = {}, []
        for line in filter(None, map(str.strip, text.splitlines())):
            if found := re.fullmatch(r"FROM (?:--platform=\S+ )?(\S+) AS (\S+)", line):
                current = stages[found[2]] = [found[1]]
            else:
                current.append(line)
        image = cls()
        for lines in stages.values():
            image.arguments |= dict(line.removeprefix("ARG ").split("=", 1) for line in lines if re.match(r"ARG \w+=", line))
        chain = [stage]
        while (parent := stages[chain[0]][0]) != "scratch":
            chain.insert(0, parent)
        for name in chain:
            for line in stages[name][1:]:
                image.apply(line)
        return image

    def apply(self, line: str) -> None:
        instruction, _, value = line.partition(" ")
        if instruction == "COPY":
            found = re.fullmatch(r"--from=(\S+) (?:--chown=\S+ )?(.+) (\S+)", value)
            self.copies += [(found[1], source, found[3]) for source in found[2].split()]
        elif instruction == "ENV":
            self.environment |= dict(pair.split("=", 1) for pair in value.split())
        elif instruction == "USER":
            self.uid, self.gid = value.split(":")
        elif instruction == "VOLUME":
            self.volumes += json.loads(value)
        elif instruction == "ENTRYPOINT":
            self.entrypoint = json.loads(value)
        elif instruction not in ("CMD", "EXPOSE", "HEALTHCHECK", "ARG"):
            raise ValueError(f"{instruction} is not known here: add it")

    def assemble(self, root: Path, program: Path) -> int:
        """Copies the files of the image to a folder; returns their number."""
        for stage, source, target in self.copies:
            to = root / target.lstrip("/")
            to = to / Path(source).name if target.endswith("/") else to
            to.parent.mkdir(parents=True, exist_ok=True)
            if stage == "base":
                found = BASE[source]
                if isinstance(found, str):
                    to.write_text(found)
                elif found.is_dir():
                    shutil.copytree(found, to)
                else:
                    shutil.copy(found, to)
            elif source == "/image/program":
                shutil.copy(program, to)
            else:
                to.mkdir()
        return sum(path.is_file() for path in root.rglob("*"))
