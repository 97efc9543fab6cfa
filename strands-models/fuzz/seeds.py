#!/usr/bin/env python3
"""Converts recorded responses to inputs for the fuzz targets.

usage: seeds.py <shared folder> <folder to write>

Write to a folder below target, so that no recording becomes part of the project.
"""

import hashlib
import json
import sys
from pathlib import Path

# Target for the responses of each provider.
TARGETS = {
    "anthropic": "anthropic",
    "deepseek": "chat_completions",
    "gemini": "gemini",
    "groq": "chat_completions",
    "llamacpp": "chat_completions",
    "mistral": "chat_completions",
    "ollama": "ollama",
    "openai": "chat_completions",
    "openrouter": "chat_completions",
    "xai": "chat_completions",
}
# The first byte of an input: the number of chunk lengths that follow (times eight), 4 for a document.
STREAM, IN_CHUNKS, DOCUMENT = bytes([0]), bytes([2 * 8, 7, 64]), bytes([4])
# Longer streams lose events in the middle, which add no coverage.
HEAD, TAIL, LONGEST = 24, 12, 32 * 1024


def truncated(stream: str) -> str:
    """Returns the events at the beginning and at the end of a stream."""
    end = "\r\n\r\n" if "\r\n\r\n" in stream else "\n\n" if "\n\n" in stream else "\n"
    events = stream.split(end)
    if len(events) > HEAD + TAIL:
        events = events[:HEAD] + events[-TAIL:]
    return end.join(events)


def main() -> None:
    recordings, seeds = Path(sys.argv[1]) / "recordings", Path(sys.argv[2])
    written = dict.fromkeys({*TARGETS.values(), "openai_responses"}, 0)
    for provider, target in TARGETS.items():
        for file in sorted((recordings / provider).rglob("*.json")):
            for exchange in json.loads(file.read_bytes()):
                response, path = exchange["response"], exchange["request"]["path"]
                body = response.get("body") or ""
                streamed = "json" not in (response.get("content_type") or "") or "ndjson" in response["content_type"]
                reads = "openai_responses" if path.endswith("/responses") else target
                response_body = (truncated(body) if streamed else body).encode()
                if response["status"] >= 400 or not 0 < len(response_body) <= LONGEST:
                    continue
                for control in (STREAM, IN_CHUNKS) if streamed else (DOCUMENT,):
                    folder = seeds / reads
                    folder.mkdir(parents=True, exist_ok=True)
                    name = hashlib.sha256(control + response_body).hexdigest()[:16]
                    (folder / name).write_bytes(control + response_body)
                    written[reads] += 1
    print(", ".join(f"{target}: {count}" for target, count in sorted(written.items())))
    if not all(written.values()):
        sys.exit("a target has no seeds")


main()
