#!/usr/bin/env python3
"""Adds up the results that tools/check and tools/test left: `summary.py RESULTS FAILED`.

Prints why tests were skipped, minutes per stage, and as its last line `N passed, N failed`. A stage that
failed without a failed test (a build, a crash, a leak at exit) counts as one. FAILED is 1 when a stage did.
"""

import json
import sys
import xml.etree.ElementTree as xml
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Count:
    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)

    def add(self, other: "Count") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped


def count_cases(file: Path) -> Count:
    """The cases of one XML of gtest or pytest."""
    count = Count()
    for case in xml.parse(file).getroot().iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        skip = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            count.failed += 1
        elif skip is not None or case.get("status") == "notrun":
            count.skipped.append(f"{name}: {skip.get('message', '') if skip is not None else 'not run'}")
        else:
            count.passed += 1
    return count


def program_of(tests: list[dict]) -> dict[str, str]:
    return {test["name"]: Path(test["command"][0]).name for test in tests if test.get("command")}


def count_units(folder: Path) -> Count:
    """A test of ctest is a program: its gtest cases where it wrote them, else itself."""
    total = Count()
    listing, report = folder / "tests.json", folder / "ctest.xml"
    if not report.exists():
        return total
    program = program_of(json.loads(listing.read_text())["tests"])
    for case in xml.parse(report).getroot().iter("testcase"):
        name = case.get("name")
        files = [file for file in folder.glob("*.xml") if belongs(file.stem, program.get(name, name))]
        cases = Count()
        for file in files:
            cases.add(count_cases(file))
            file.rename(file.with_suffix(".counted"))
        if case.get("status") != "run" and cases.failed == 0:
            cases.failed = 1
        elif not files and case.get("status") == "run":
            cases.passed = 1
        total.add(cases)
    return total


def belongs(stem: str, program: str) -> bool:
    """gtest writes `program.xml`, and `program_1.xml` when that stands there."""
    return stem == program or (stem.startswith(program + "_") and stem[len(program) + 1 :].isdigit())


def print_stages(file: Path) -> set[str]:
    """Prints the table; the stages that failed."""
    if not file.exists():
        return set()
    rows = [line.split("\t") for line in file.read_text().splitlines()]
    print("\nminutes  stage")
    for name, seconds, code in rows:
        print(f"{int(seconds) / 60:7.1f}  {name}{'' if code == '0' else '  FAILED'}")
    print(f"{sum(int(row[1]) for row in rows) / 60:7.1f}  all")
    return {row[0] for row in rows if row[2] != "0"}


def main() -> int:
    results, stage_failed = Path(sys.argv[1]), sys.argv[2] != "0"
    total = count_units(results / "unit")
    total.add(count_units(results / "seeds"))
    for file in sorted((results / "pytest").glob("*.xml")):
        total.add(count_cases(file))
    if total.skipped:
        print("\nskipped:")
        for reason in total.skipped:
            print(f"  {reason}")
    failed_stages = print_stages(results / "stages")
    if total.failed == 0:
        total.failed = len(failed_stages) or int(stage_failed)
    print(f"\n{total.passed} passed, {total.failed} failed")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
