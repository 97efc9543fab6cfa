#!/usr/bin/env python3
"""Makes inputs for the fuzz targets from recorded responses.

usage: seeds.py <shared folder> <folder to write>

The recordings are not part of the repository: the folder to write is below target.
"""

import hashlib
import json
import sys
from pathlib import Path

# The target of each provider's responses.
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
# The first byte of an input: the number of chunk lengths that follow, times eight; 4 for a document.
STREAM, CHUNKED, DOCUMENT = bytes([0]), bytes([2 * 8, 7, 64]), bytes([4])
# Longer streams are truncated in their middle: more of the same events adds no coverage.
HEAD, TAIL, LONGEST = 24, 12, 32 * 1024


def truncated(stream: str) -> str:
    """The events at the beginning and at the end of a stream."""
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
                content = (truncated(body) if streamed else body).encode()
                if response["status"] >= 400 or not 0 < len(content) <= LONGEST:
                    continue
                for control in (STREAM, CHUNKED) if streamed else (DOCUMENT,):
                    folder = seeds / reads
                    folder.mkdir(parents=True, exist_ok=True)
                    name = hashlib.sha256(control + content).hexdigest()[:16]
                    (folder / name).write_bytes(control + content)
                    written[reads] += 1
    print(", ".join(f"{target}: {count}" for target, count in sorted(written.items())))
    if not all(written.values()):
        sys.exit("a target has no seeds")


main()
