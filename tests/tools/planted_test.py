"""A planted fault has its line in the code, its test and its row in docs/simulation.md, under one name."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLANTED = re.compile(r'KISEKI_PLANTED\(\s*"([^"]+)"\s*\)')


def sources():
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix in (".h", ".cc") and path.name != "planted.h":
            yield path


def is_test(path):
    return path.stem.endswith("_test") or "testing" in path.parts


def planted():
    return {name for path in sources() if not is_test(path) for name in PLANTED.findall(path.read_text())}


def test_there_are_faults_to_speak_of():
    assert planted()


def tests_text():
    tests = [path for path in sources() if is_test(path)] + sorted((ROOT / "tests" / "sim").glob("*.cc"))
    return "".join(path.read_text() for path in tests)


def test_every_fault_is_named_by_a_test():
    tests = tests_text()
    assert {name for name in planted() if f'"{name}"' not in tests} == set()


def test_every_fault_has_a_row_and_every_row_a_fault():
    rows = re.findall(r"^\|[^|]*\| `([^`]+)` \|", (ROOT / "docs" / "simulation.md").read_text(), re.MULTILINE)
    assert planted() - set(rows) == set()
    # Some faults are planted in a simulator alone.
    tests = tests_text()
    assert {name for name in rows if name not in planted() and f'"{name}"' not in tests} == set()
