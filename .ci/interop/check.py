#!/usr/bin/env python3
"""Checks sessions between languages: Rust continues sessions that Python Strands wrote, and Python Strands restores and
continues sessions that Rust wrote; in folders, and in an S3 server from another project.

usage: check.py <shared folder> <continue_session program>
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}


# Content that only its provider understands, as Rust writes it: next to an empty text, which every client ignores.
SEARCH = {"text": "", "providerContent": {"provider": "anthropic", "content": {
    "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "Rust"}}}}


def run(command: list[str], what: str) -> dict:
    env = {**os.environ, **CREDENTIALS, "PYTHONPATH": str(HERE)}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    if done.returncode:
        sys.exit(f"{what}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
    return json.loads(done.stdout)


def without_metadata(messages: list[dict]) -> list[dict]:
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def without_repair(restored: list[dict], expected: list[dict]) -> list[dict]:
    """The restored messages without the error results of pending calls, which Python adds with the next prompt."""
    calls = [block for block in expected[-1]["content"] if "toolUse" in block] if expected else []
    repaired = calls and len(restored) == len(expected) + 1 and all("toolResult" in block for block in restored[-1]["content"])
    return restored[:-1] if repaired else restored


class Check:
    def __init__(self, shared: Path, program: str) -> None:
        self.sessions = shared / "sessions"
        self.checker = [sys.executable, str(shared / "rigs/sessions/check_restore.py")]
        self.program = program
        self.done = 0

    def cases(self):
        for expected in sorted(self.sessions.glob("*/expected.json")):
            case = json.loads(expected.read_text())
            if case.get("conversation_manager") and case.get("agents"):
                yield expected.parent, case

    def case(self, folder: Path, case: dict, place: list[str], restore: list[str], *flags: str) -> None:
        session, manager = case["session_id"], case.get("conversation_manager") or {"type": "sliding", "args": {}}
        manager_args = ["--manager", manager["type"], "--manager-args", json.dumps(manager["args"])]
        for agent, expected in case["agents"].items():
            name = f"{folder.name}/{agent} {place[0]}"
            ours = run([self.program, *place, session, agent, json.dumps(manager)], f"{name}, in Rust")
            if without_repair(without_metadata(ours["restored"]), expected["messages"]) != without_metadata(expected["messages"]):
                sys.exit(f"{name}: restored {json.dumps(ours['restored'], indent=1)}")
            if ours["state"] != expected["state"]:
                sys.exit(f"{name}: state {ours['state']} is not {expected['state']}")
            theirs = run([*self.checker, *restore, session, agent, *flags, *manager_args, "--continue", "and in Python"], name)
            # Python has added two messages before it prints.
            if without_metadata(theirs["messages"]) != without_metadata(ours["continued"]):
                sys.exit(f"{name}: Python restored {json.dumps(without_metadata(theirs['messages']), indent=1)}\n"
                         f"and Rust had {json.dumps(without_metadata(ours['continued']), indent=1)}")
            self.done += 1

    def files(self) -> None:
        for folder, case in self.cases():
            with tempfile.TemporaryDirectory() as copy:
                shutil.copytree(folder / f"session_{case['session_id']}", Path(copy) / f"session_{case['session_id']}")
                self.case(folder, case, ["--dir", copy], [copy])

    def snapshots(self) -> None:
        for storage in sorted(self.sessions.glob("*/storage")):
            case = json.loads((storage.parent / "expected.json").read_text())
            with tempfile.TemporaryDirectory() as copy:
                shutil.copytree(storage, copy, dirs_exist_ok=True)
                # The second round starts with the session that Rust wrote in the first.
                for _ in range(2):
                    self.case(storage.parent, case, ["--snapshots", copy], [copy], "--snapshot")
                    for agent in case["agents"].values():
                        agent["messages"] += [
                            {"role": "user", "content": [{"text": "and in Rust"}]},
                            {"role": "assistant", "content": [SEARCH, {"text": "response in Rust"}]},
                        ]
            self.new_snapshots()

    def new_snapshots(self) -> None:
        """A session that Rust has started."""
        with tempfile.TemporaryDirectory() as place:
            case = {"session_id": "begun-in-rust", "agents": {"main": {"messages": [], "state": {}}}}
            self.case(Path("begun in Rust"), case, ["--snapshots", place], [place], "--snapshot")

    def s3(self, endpoint: str) -> None:
        import boto3

        client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1",
                              aws_access_key_id="test", aws_secret_access_key="test")
        client.create_bucket(Bucket="sessions")
        for folder, case in self.cases():
            for file in (folder / f"session_{case['session_id']}").rglob("*.json"):
                client.put_object(Bucket="sessions", Key=f"kept/{file.relative_to(folder)}", Body=file.read_bytes())
            self.case(folder, case, ["--s3", endpoint, "sessions", "kept"],
                      ["--prefix", "kept", "--s3", endpoint, "sessions"])


def main() -> None:
    check = Check(Path(sys.argv[1]), sys.argv[2])
    check.files()
    check.snapshots()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    moto = Path(sys.executable).parent / "moto_server"
    server = subprocess.Popen([moto, "-H", "127.0.0.1", "-p", str(port)],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                urllib.request.urlopen(f"{endpoint}/moto-api/", timeout=1)
                break
            except OSError:
                time.sleep(0.1)
        check.s3(endpoint)
    finally:
        server.terminate()
    if not check.done:
        sys.exit("no sessions to check")
    print(f"sessions between languages: {check.done} passed")


main()
