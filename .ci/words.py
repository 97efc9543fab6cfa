#!/usr/bin/env python3
"""Checks the wording of documentation, errors, tests, scripts and the book against the terms of the field.

    .ci/words.py                 everything that git tracks
    .ci/words.py PATH..          files below the paths alone
    .ci/words.py --counts        findings of each folder, without the lines

Definitions: at most 2 % of the lines of doc comments may begin with What, How, Where, Who, When, Which, Whether or Why.
Those that do are listed.
Terms: none of the words in TERMS may stand in a comment, a string of library code, a workflow, or a page; EXCEPTIONS lists
places where one is right, with the reason.
Test names: none may begin with a word such as `what` or `nobody`; a name states the behavior.
"""

import re
import subprocess
import sys
from collections import Counter

# Word or phrase as a regular expression, and its replacement.
TERMS = [
    (r"thoughts?|thinks? in silence", "reasoning"),
    (r"typed answers?|typed outputs?|answers? of a type", "structured output"),
    (r"bad news|good news|answers? of a tool", "error result, tool result"),
    (r"in pieces|piece by piece", "streamed, in chunks"),
    (r"beside each other|side by side|beside one another", "concurrent"),
    (r"answer(s|ed|ing)?", "response, assistant message, reply; respond"),
    (r"how much chance|likeliest", "sampling temperature, nucleus sampling"),
    (r"no room|room for|room in", "context window, limit, capacity"),
    (r"(how )?manieth", "zero-based index"),
    (r"(nobody|somebody|server)'s business|key of nobody", "credentials, endpoint"),
    (r"patien(ce|t|tly)", "timeout"),
    (r"hop(e|es|ing) for the best", "fallback"),
    (r"shorten(s|ed|ing)?", "truncate, trim, summarize"),
    (r"put(s|ting)? away", "persist, store"),
    (r"ask(s|ed|ing)? (a |the )?(human|somebody)s?|waits? for (a |the )?human", "interrupt, human approval"),
    (r"lend(s|ing|able)?|lent", "injected value"),
    (r"sounds?|pictures?", "audio, image"),
    (r"heal(s|ed|ing)?|mend(s|ed|ing)?", "adapt a request, repair"),
    (r"written messages|message writer", "serialized messages"),
    (r"refusal kinds?", "error kind"),
    (r"clock on the wall", "wall-clock time"),
    (r"not for everybody yet", "beta feature"),
    (r"nobody|somebody|whoever|no one|anybody|everybody", "the caller, the program, users, none"),
    (r"one's own|in silence|by itself alone", "local, custom, without output"),
    (r"hears? of|heard of|is heard|were heard|was heard", "receives, is notified"),
]

# Identifiers of the same words, in all code: tests, too.
IDENTIFIERS = re.compile(r"\b(thoughts|sounds?|pictures?|heals?|healed|mend|mends|lend|lends|lent|manieth)\b", re.I)

# Places where a word of the list is right: path prefix, word, reason.
EXCEPTIONS = [
    (".ci/words.py", "", "the list"),
    ("strands-core/src/models/error_classification/context_overflow.rs", "shorten", "words of providers' errors"),
    ("examples/travel-agent/src/offline/request.rs", "sounds", "words of users that the rules match"),
    ("strands-core/src/models/error_classification/context_overflow.rs", "shorten", "messages of providers"),
]

DEFINITION = re.compile(r"(What|How|Where|Who|When|Which|Whether|Why)\b")
TEST_NAME = re.compile(
    r"fn ((?:what|whatever|whoever|who|whose|how|where|wherever|which|when|whenever|why|nobody|nothing|somebody|everybody|no_one|one_who)_\w+)\("
)
DOC = re.compile(r"\s*//[/!] ?(.*)")
LIMIT = 0.02
# Files of which comments and Python's doc strings count, and the whole text of workflows.
SCRIPTS = (".py", ".toml", ".yml")


def is_shell(path):
    """Detects shell scripts, which have no suffix, and their like."""
    return path.startswith(".ci/") and "." not in path.split("/")[-1] or path.endswith("/run")


def tracked(paths):
    out = subprocess.run(["git", "ls-files", "--", *paths], check=True, capture_output=True, text=True).stdout
    return [path for path in out.split("\n") if path.endswith((".rs", ".md", ".stderr", *SCRIPTS)) or is_shell(path)]


def texts(path, source):
    """The lines of a file that people read: (number, text, kind)."""
    if path.endswith((".py", ".toml")) or is_shell(path):
        for number, line in enumerate(source.split("\n"), 1):
            if (comment := line.lstrip()).startswith(("#", '"""')):
                yield number, comment.lstrip('#" '), "comment"
        return
    if not path.endswith(".rs"):
        fenced = False
        for number, line in enumerate(source.split("\n"), 1):
            if line.lstrip().startswith("```"):
                fenced = not fenced
            yield number, line, "code" if fenced else "page"
        return
    in_tests = "/tests/" in path or "/benches/" in path or path.startswith("strands-testkit/")
    fenced = False
    for number, line in enumerate(source.split("\n"), 1):
        if line.strip() == "mod tests {":
            in_tests = True
        if found := DOC.match(line):
            text = found[1]
            if text.lstrip().startswith("```"):
                fenced = not fenced
                continue
            yield number, text, "code" if fenced else "doc"
            continue
        fenced = False
        if (at := line.find("// ")) >= 0 and '"' not in line[:at]:
            yield number, line[at + 3 :], "comment"
            line = line[:at]
        yield number, re.sub(r'"(?:[^"\\]|\\.)*"', '""', line), "identifiers"
        if in_tests:
            yield number, line, "test"
        else:
            for string in re.findall(r'"((?:[^"\\]|\\.)*)"', line):
                if " " in string:
                    yield number, string, "string"


def main():
    arguments = sys.argv[1:]
    counts_only = "--counts" in arguments
    paths = [argument for argument in arguments if not argument.startswith("--")]
    words = [(re.compile(rf"(?<![\w`.:/-])(?:{word})(?![\w`(/:]|-\w)", re.I), instead) for word, instead in TERMS]
    docs, definitions, terms, names = Counter(), [], [], []
    for path in tracked(paths):
        folder = path.split("/")[0]
        allowed = [word for prefix, word, _ in EXCEPTIONS if path.startswith(prefix)]
        with open(path, encoding="utf-8") as file:
            source = file.read()
        for number, text, kind in texts(path, source):
            where = f"{path}:{number}"
            if kind == "doc":
                docs[folder] += 1
                if DEFINITION.match(text):
                    definitions.append((folder, f"{where}: {text}"))
            if kind == "test":
                if found := TEST_NAME.search(text):
                    names.append((folder, f"{where}: {found[1]}"))
                continue
            if kind == "identifiers":
                for found in IDENTIFIERS.finditer(text):
                    if not any(found[0].lower() == good.lower() or not good for good in allowed):
                        terms.append((folder, f"{where}: identifier `{found[0]}`: {text.strip()}"))
                continue
            if kind == "code":
                continue
            plain = re.sub(r"`[^`]*`|\]\([^)]*\)|\bhttps?://\S+", "`", text)
            for word, instead in words:
                for found in word.finditer(plain):
                    if not any(found[0].lower() == good.lower() or not good for good in allowed):
                        terms.append((folder, f"{where}: `{found[0]}` ({instead}): {text.strip()}"))
    share = len(definitions) / max(1, sum(docs.values()))
    if not counts_only:
        for title, found in (("definitions", definitions), ("terms", terms), ("test names", names)):
            for _, line in found:
                print(f"{title}: {line}")
    for title, found in (("definitions", definitions), ("terms", terms), ("test names", names)):
        print(f"{title}: {len(found)} {dict(Counter(folder for folder, _ in found))}")
    print(f"doc lines: {sum(docs.values())}, of which definitions: {100 * share:.2f} %")
    if share >= LIMIT or terms or names:
        sys.exit(1)


if __name__ == "__main__":
    main()
