#!/usr/bin/env python3
"""House rules that no compiler checks: layers, sizes, names, words.

Reads src/layers.txt and every source file, prints one line a finding and exits 1 when there is one.
tools/exceptions.txt excuses findings; one that excuses nothing is a finding too, so the list only shrinks.
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
PARAMETERS_MAX = 5

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
    place: str  # path, or path:symbol
    line: int
    words: str

    def __str__(self) -> str:
        path = self.place.split(":")[0]
        return f"{path}:{self.line}: {self.rule}: {self.words} [{self.place}]"


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


def blank(match: re.Match) -> str:
    return re.sub(r"[^\n]", " ", match.group(0))


NO_SCOPE = re.compile(r"\)\s*(const|noexcept|override|final|\s)*$|=\s*$")
TRIVIA = re.compile(
    r"//[^\n]*|/\*.*?\*/"
    r'|R"(?P<d>[^(\s]*)\(.*?\)(?P=d)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.S,
)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", re.M)


def bare(text: str) -> str:
    """The code without comments, strings and directives; every character keeps its line and column."""
    return DIRECTIVE.sub(blank, TRIVIA.sub(blank, text))


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    lines: int  # of a definition; 0 for a declaration
    parameters: int


NOT_A_NAME = set(
    "if for while switch catch return sizeof decltype alignas alignof requires noexcept explicit "
    "static_assert co_return co_await throw typeid".split()
)
SCOPE_HEAD = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
NAME_BEFORE = re.compile(
    r"((?:~?\w+\s*(?:<[^<>]*>)?\s*::\s*)*" r"(?:operator\s*(?:\(\s*\)|\[\s*\]|[^\s\w(]+|\w+)|~?\w+))\s*$"
)


def closing(text: str, start: int, opener: str, closer: str) -> int:
    depth = 0
    for at in range(start, len(text)):
        if text[at] == opener:
            depth += 1
        elif text[at] == closer:
            depth -= 1
            if depth == 0:
                return at
    return len(text) - 1


def without_template(head: str) -> str:
    """Blanks `template <…>` in front of a declaration."""
    while match := re.match(r"\s*template\s*<", head):
        end = closing(head, match.end() - 1, "<", ">")
        head = " " * (end + 1) + head[end + 1 :]
    return head


def count_parameters(inner: str) -> int:
    if inner.strip() in ("", "void"):
        return 0
    depth = angle = 0
    count = 1
    for at, character in enumerate(inner):
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "<" and re.search(r"\w\s?$", inner[:at]):
            angle += 1
        elif character == ">" and angle > 0 and inner[at - 1] != "-":
            angle -= 1
        elif character == "," and depth == 0 and angle == 0:
            count += 1
    return count


def signature(head: str) -> tuple[str, int] | None:
    """Name and number of parameters, when the text before a `{` or `;` declares a function."""
    head = without_template(head)
    position = 0
    while (opener := head.find("(", position)) >= 0:
        operator_call = re.search(r"\boperator\s*$", head[:opener])
        if operator_call:
            position = head.find(")", opener) + 1
            continue
        match = NAME_BEFORE.search(head[:opener])
        end = closing(head, opener, "(", ")")
        if match and match.group(1) not in NOT_A_NAME:
            before = head[: match.start()]
            if re.search(r"[=?]\s*$|\breturn\b|[^=!<>]=[^=]", before):
                return None
            return re.sub(r"\s+", "", match.group(1)), count_parameters(head[opener + 1 : end])
        position = end + 1
    return None


def functions(code: str) -> list[Function]:
    """Functions at namespace or class scope, defined or declared; what stands in a body belongs to it."""
    found = []
    start = at = 0
    while at < len(code):
        character = code[at]
        if character == "(":
            at = closing(code, at, "(", ")")
        elif character in ";}":
            if character == ";":
                add_function(found, code, start, at, at)
            start = at + 1
        elif character == "{":
            head = without_template(code[start:at])
            if SCOPE_HEAD.search(head) and not NO_SCOPE.search(head):
                start = at + 1
            else:
                end = closing(code, at, "{", "}")
                if re.search(r"[)\w>]\s*$", code[start:at]) and is_initialiser(code, head, end):
                    at = end  # a member initialiser `a_{x}` in front of the body, or `int a{0};`
                else:
                    add_function(found, code, start, at, end)
                    at = end
                    start = end + 1
        at += 1
    return found


def is_initialiser(code: str, head: str, end: int) -> bool:
    following = code[end + 1 : end + 40].lstrip()
    if signature(head) is None:
        return following.startswith((";", ","))
    has_initialisers = re.search(r"\)\s*(noexcept\s*)?:[^:]", head)
    return bool(has_initialisers) and following.startswith((",", "{"))


def add_function(found: list[Function], code: str, start: int, head_end: int, end: int) -> None:
    head = re.sub(r"^\s*(public|private|protected)\s*:", blank, code[start:head_end])
    if re.match(r"\s*(using|typedef|friend class|static_assert|return)\b", head):
        return
    parsed = signature(head)
    if parsed is None:
        return
    first = start + len(head) - len(head.lstrip())
    line = code.count("\n", 0, first) + 1
    lines = 0 if end == head_end else code.count("\n", first, end) + 1
    found.append(Function(parsed[0], line, lines, parsed[1]))


def is_for_tests(path: str) -> bool:
    return path.endswith(("_test.cc", "_fuzz.cc")) or "testing" in Path(path).parts


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
        return "testing is for tests"
    if not folders:
        return "a public header includes no sub-room" if path.endswith(".h") else ""
    room, other = folders[0], target[1]
    may = layers.may_include.get(f"{context}/{room}", set())
    return "" if other == room or f"{context}/{other}" in may else f"{context}/{room} may not include {other}"


def check_rooms(names: list[str], layers: Layers) -> list[Finding]:
    """In a context with sub-rooms folders and lines match, and sources lie beside their headers."""
    found = []
    folders, headers = set(), {}
    for path in map(Path, names):
        if path.parts[0] != "src" or len(path.parts) < 3 or not layers.has_rooms(path.parts[1]):
            continue
        if len(path.parts) > 3 and path.parts[2] != "testing":
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


def check_first_lines(path: str, text: str) -> list[Finding]:
    if path.endswith(".h"):
        if not re.match(r"(\s*//[^\n]*\n)*\s*#pragma once\n", text):
            return [Finding("pragma-once", path, 1, "a header opens with #pragma once")]
        return []
    own = Path(path).with_suffix(".h")
    if own.parts[0] == "src" and own.exists():
        first = INCLUDE.search(text)
        wanted = "/".join(own.parts[1:])
        if first is None or first.group(2) != wanted:
            return [Finding("own-header", path, 1, f'the first include is "{wanted}"')]
    return []


def check_sizes(path: str, text: str) -> list[Finding]:
    found = []
    lines = text.count("\n")
    limit = HEADER_LINES_MAX if path.endswith(".h") else SOURCE_LINES_MAX
    if lines > limit:
        found.append(Finding("file-size", path, 1, f"{lines} lines, at most {limit}"))
    for function in functions(bare(text)):
        place = f"{path}:{function.name}"
        if function.lines > FUNCTION_LINES_MAX:
            words = f"{function.lines} lines, at most {FUNCTION_LINES_MAX}"
            found.append(Finding("function-size", place, function.line, words))
        if function.parameters > PARAMETERS_MAX and not function.name.startswith("TEST"):
            words = f"{function.parameters} parameters, at most {PARAMETERS_MAX}"
            found.append(Finding("parameters", place, function.line, words))
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
        found += check_includes(path, text, layers) + check_first_lines(path, text) + check_sizes(path, text)
    return found


def apply_exceptions(found: list[Finding], text: str, path: str) -> list[Finding]:
    """Drops what `rule place  reason` lines excuse; complains about lines without a reason or a use."""
    excused, rest = {}, []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split(maxsplit=2)
        if len(words) < 3:
            rest.append(Finding("exceptions", path, number, "rule, place and reason are needed"))
        else:
            excused[(words[0], words[1])] = number
    used = set()
    for finding in found:
        key = (finding.rule, finding.place)
        if key in excused:
            used.add(key)
        else:
            rest.append(finding)
    for key, number in excused.items():
        if key not in used:
            words = f"'{' '.join(key)}' excuses nothing: delete the line"
            rest.append(Finding("exceptions", path, number, words))
    return rest


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
    exceptions = Path("tools/exceptions.txt")
    found = apply_exceptions(found, exceptions.read_text(), str(exceptions))
    for finding in found:
        print(finding)
    print(f"tidy: {len(names)} files, {len(found)} findings")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
