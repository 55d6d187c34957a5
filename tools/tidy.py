#!/usr/bin/env python3
"""House rules that neither the compiler nor clang-tidy checks: layers, sub-rooms, sizes, names, words.

Reads src/layers.txt and every source file, prints one line a finding and exits 1 when there is one. Lines of
functions are counted here, since this reads every file in a second and clang-tidy in hours; parameters are
clang-tidy's, the order of includes is clang-format's.
"""

import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS_MAX = 110
FUNCTION_LINES_MAX = 70
HEADER_LINES_MAX = 300
SOURCE_LINES_MAX = 800

CODE = {".h", ".cc"}
TEXT = CODE | {".py", ".sh", ".txt", ".md", ".cmake", ".rs", ".toml", ""}
VAGUE_NAMES = re.compile(r"^(utils?|common|helpers?|misc|manager)$|_(utils?|helpers?|manager)$")
VAGUE_TYPES = re.compile(r"\b(?:class|struct)\s+(\w+(?:Manager|Helpers?|Utils?))\b")
UNFINISHED = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X]|HA[C]K|for n[o]w|in a r[e]al|placeh[o]lder)\b")
MAKING = re.compile(r"/w[o]rk/|/f[a]rm/|bash_j[o]bs|\b[Ii]ss[u]e #?[0-9]+\b|\b(this|last) sess[i]on\b")
SLEEPS = {
    ".cc": re.compile(r"\bsle[e]p_(for|until)\b|\b(u|nano)sle[e]p\s*\("),
    ".py": re.compile(r"\btime\.sle[e]p\("),
}


@dataclass(frozen=True)
class Finding:
    rule: str
    path: str
    line: int
    words: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.words}"


@dataclass
class Layers:
    may_include: dict[str, set[str]] = field(default_factory=dict)  # contexts, and sub-rooms as `fs/tree`
    blind: set[str] = field(default_factory=set)
    test_only: set[str] = field(default_factory=set)

    def has_rooms(self, context: str) -> bool:
        return any(name.startswith(f"{context}/") for name in self.may_include)

    def tests_may_include(self) -> set[str]:
        """Beside what their context may: the contexts for tests only, and what stands under those."""
        return self.test_only.union(*(self.may_include.get(name, set()) for name in self.test_only))

    @staticmethod
    def parse(text: str) -> "Layers":
        layers = Layers()
        for line in text.splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            name, _, rest = line.partition(":")
            context, is_room, _ = name.partition("/")
            names = {f"{context}/{other}" if is_room else other for other in rest.split()}
            if name == "blind":
                layers.blind = names
            elif name == "test-only":
                layers.test_only = names
            else:
                layers.may_include[name] = names
        return layers

    def findings(self, path: str) -> list[Finding]:
        found = []
        for context, names in self.may_include.items():
            for other in sorted(names - self.may_include.keys()):
                found.append(Finding("layers", path, 1, f"{context} names {other}: no such line"))
            if context in self.blind:
                for other in sorted(names - self.blind):
                    found.append(Finding("layers", path, 1, f"blind {context} names {other}, which is not"))
            if context not in self.test_only:
                for other in sorted(names & self.test_only):
                    found.append(Finding("layers", path, 1, f"{context} names {other}: for tests only"))
        for cycle in self._cycles():
            found.append(Finding("layers", path, 1, "cycle: " + " > ".join(cycle)))
        return found

    def _cycles(self) -> list[list[str]]:
        done: set[str] = set()
        cycles = []

        def visit(context: str, trail: list[str]) -> None:
            if context in trail:
                cycles.append(trail[trail.index(context) :] + [context])
                return
            if context in done:
                return
            for other in sorted(self.may_include.get(context, ())):
                visit(other, trail + [context])
            done.add(context)

        for context in self.may_include:
            visit(context, [])
        return cycles


def is_for_tests(path: str) -> bool:
    parts = Path(path).parts
    return path.endswith(("_test.cc", "_fuzz.cc")) or parts[0] == "tests" or "testing" in parts


INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]+(["<])([^">]+)[">]', re.M)


def check_includes(path: str, text: str, layers: Layers) -> list[Finding]:
    found = []
    parts = Path(path).parts
    context = parts[1] if parts[0] == "src" and len(parts) > 2 else None
    for match in INCLUDE.finditer(text):
        if match.group(1) == "<":
            continue
        line = text.count("\n", 0, match.start()) + 1
        target = Path(match.group(2)).parts
        if target[0] == "bench" and path.startswith("bench/"):
            continue
        if len(target) < 2 or target[0] not in layers.may_include:
            found.append(Finding("include", path, line, f'"{match.group(2)}" starts at no context of src/'))
            continue
        other = target[0]
        if len(target) > 2 and target[1] != "testing" and other != context:
            found.append(Finding("include", path, line, f'"{match.group(2)}" is private to {other}'))
        if target[1] == "testing" and not is_for_tests(path):
            found.append(Finding("layer", path, line, "testing is for tests"))
        if other == context and layers.has_rooms(context):
            words = against_rooms(path, target, layers)
            if words:
                found.append(Finding("layer", path, line, words))
        if context is None or other == context or other in layers.may_include.get(context, set()):
            continue
        if is_for_tests(path) and other in layers.tests_may_include():
            continue
        found.append(Finding("layer", path, line, f"{context} may not include {other}"))
    return found


def against_rooms(path: str, target: tuple[str, ...], layers: Layers) -> str:
    """Why `path` may not include `target` of its own context; empty when it may.

    The headers at the root of a context are public: every sub-room may include them, they include none.
    """
    context, *folders = Path(path).parts[1:-1]
    if len(target) == 2 or is_for_tests(path):
        return ""
    if target[1] == "testing":
        return ""
    if not folders:
        return "a public header includes no sub-room" if path.endswith(".h") else ""
    room, other = folders[0], target[1]
    may = layers.may_include.get(f"{context}/{room}", set())
    return "" if other == room or f"{context}/{other}" in may else f"{context}/{room} may not include {other}"


def check_rooms(names: list[str], layers: Layers) -> list[Finding]:
    """Sources lie beside their headers, and the sub-rooms that have lines are those that have folders."""
    found = []
    folders, headers = set(), {}
    for path in map(Path, names):
        if path.parts[0] != "src" or len(path.parts) < 3:
            continue
        if len(path.parts) > 3 and path.parts[2] != "testing" and layers.has_rooms(path.parts[1]):
            folders.add("/".join(path.parts[1:3]))
        if path.suffix == ".h":
            headers.setdefault((path.parts[1], path.stem), set()).add(path.parent)
    rooms = {name for name in layers.may_include if "/" in name}
    for room in sorted(folders - rooms):
        found.append(Finding("layers", "src/layers.txt", 1, f"src/{room} has no line"))
    for room in sorted(rooms - folders):
        found.append(Finding("layers", "src/layers.txt", 1, f"{room} has a line and no folder"))
    for path in map(Path, names):
        if path.suffix != ".cc" or path.parts[0] != "src":
            continue
        homes = headers.get((path.parts[1], re.sub(r"_(test|fuzz)$", "", path.stem)))
        if homes and path.parent not in homes:
            words = f"lies elsewhere than its header in {', '.join(sorted(map(str, homes)))}"
            found.append(Finding("place", str(path), 1, words))
    return found


def check_sizes(path: str, lines: list[str]) -> list[Finding]:
    """A body ends, as clang-format lays it out, at the next `}` that stands where its head began."""
    found = []
    limit = HEADER_LINES_MAX if path.endswith(".h") else SOURCE_LINES_MAX
    if len(lines) > limit:
        found.append(Finding("file-size", path, 1, f"{len(lines)} lines, at most {limit}"))
    heads = {}  # by their indentation
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        if line.strip() == "}" and number - heads.get(indent, number) >= FUNCTION_LINES_MAX:
            words = f"{number - heads[indent] + 1} lines, at most {FUNCTION_LINES_MAX}"
            found.append(Finding("function-size", path, heads[indent], words))
        if line.strip() and not line.lstrip().startswith(("}", "#")):
            heads[indent] = number
    return found


def check_lines(path: str, text: str) -> list[Finding]:
    found = []
    is_code = Path(path).suffix in CODE | {".py"}
    is_test = path.startswith("tests/") or path.endswith("_test.cc")
    sleeps = SLEEPS.get(Path(path).suffix)
    for number, line in enumerate(text.splitlines(), 1):
        if is_code and len(line) > COLUMNS_MAX:
            found.append(Finding("columns", path, number, f"{len(line)} columns, at most {COLUMNS_MAX}"))
        if is_code and (match := UNFINISHED.search(line)):
            found.append(Finding("unfinished", path, number, f"'{match.group(0)}'"))
        if match := MAKING.search(line):
            found.append(Finding("words", path, number, f"'{match.group(0)}' does not speak of Kiseki"))
        if is_test and sleeps and (match := sleeps.search(line)):
            found.append(Finding("sleep", path, number, f"'{match.group(0)}' in a test"))
        if is_test and is_code and "DISABL" "ED_" in line:
            found.append(Finding("disabled", path, number, "a disabled test"))
        if is_code and (match := VAGUE_TYPES.search(line)):
            found.append(Finding("name", path, number, f"{match.group(1)} says nothing"))
    return found


def check_name(path: str) -> list[Finding]:
    return [
        Finding("name", path, 1, f"'{part}' says nothing")
        for part in Path(path).parts
        if VAGUE_NAMES.search(part.split(".")[0])
    ]


def check_file(path: str, text: str, layers: Layers) -> list[Finding]:
    found = check_name(path) + check_lines(path, text)
    if Path(path).suffix in CODE:
        found += check_includes(path, text, layers) + check_sizes(path, text.splitlines())
    if path.endswith(".h") and not re.match(r"(\s*//[^\n]*\n)*\s*#pragma once\n", text):
        found.append(Finding("pragma-once", path, 1, "a header opens with #pragma once"))
    return found


def tracked_files() -> list[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    names = (name for name in listing.split("\0") if name and Path(name).suffix in TEXT)
    return sorted(name for name in names if Path(name).is_file())


def main() -> int:
    layers = Layers.parse(Path("src/layers.txt").read_text())
    found = layers.findings("src/layers.txt")
    names = tracked_files()
    for name in names:
        try:
            text = Path(name).read_text()
        except UnicodeDecodeError:
            continue  # a corpus file, not text
        found += check_file(name, text, layers)
    found += check_rooms(names, layers)
    for finding in found:
        print(finding)
    print(f"tidy: {len(names)} files, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
