"""tools/summary.py adds up what gtest, ctest and pytest left, and never hides a failure."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("summary", ROOT / "tools" / "summary.py")
summary = importlib.util.module_from_spec(SPEC)
sys.modules["summary"] = summary
SPEC.loader.exec_module(summary)

GTEST = """<testsuites><testsuite name="Log">
<testcase name="a" status="run" result="completed" classname="Log"/>
<testcase name="b" status="run" result="completed" classname="Log">{failure}</testcase>
<testcase name="c" status="run" result="skipped" classname="Log"><skipped message="no ring"/></testcase>
</testsuite></testsuites>"""


@pytest.fixture
def results(tmp_path):
    (tmp_path / "unit").mkdir()
    (tmp_path / "pytest").mkdir()
    tests = [{"name": name, "command": [f"/bin/{name}"]} for name in ("raft_test", "raft_link", "shard_test")]
    (tmp_path / "unit" / "tests.json").write_text(json.dumps({"tests": tests}))
    return tmp_path


def leave(results, statuses, failure=""):
    cases = "".join(f'<testcase name="{name}" status="{status}"/>' for name, status in statuses.items())
    (results / "unit" / "ctest.xml").write_text(f"<testsuite>{cases}</testsuite>")
    (results / "unit" / "raft_test.xml").write_text(GTEST.format(failure=failure))


def run(results, monkeypatch, capsys, failed="0"):
    monkeypatch.setattr(sys, "argv", ["summary.py", str(results), failed])
    code = summary.main()
    return code, capsys.readouterr().out.splitlines()


def test_cases_are_counted_where_a_program_wrote_them(results, monkeypatch, capsys):
    leave(results, {"raft_test": "run", "raft_link": "run"})
    code, lines = run(results, monkeypatch, capsys)
    assert (code, lines[-1]) == (0, "3 passed, 0 failed")
    assert "  Log.c: no ring" in lines


def test_a_failed_case_fails_the_run(results, monkeypatch, capsys):
    leave(results, {"raft_test": "fail", "raft_link": "run"}, '<failure message="no"/>')
    code, lines = run(results, monkeypatch, capsys, "1")
    assert (code, lines[-1]) == (1, "2 passed, 1 failed")


def test_a_program_that_dies_after_its_cases_passed_is_a_failure(results, monkeypatch, capsys):
    leave(results, {"raft_test": "fail", "raft_link": "run", "shard_test": "fail"})
    code, lines = run(results, monkeypatch, capsys, "1")
    assert (code, lines[-1]) == (1, "3 passed, 2 failed")


def test_a_stage_that_fails_without_a_test_is_a_failure(results, monkeypatch, capsys):
    (results / "stages").write_text("build dev\t120\t1\ntidy\t3\t0\n")
    code, lines = run(results, monkeypatch, capsys, "1")
    assert (code, lines[-1]) == (1, "0 passed, 1 failed")
    assert "    2.0  build dev  FAILED" in lines


def test_pytest_files_count_and_errors_are_failures(results, monkeypatch, capsys):
    (results / "pytest" / "process.xml").write_text(
        '<testsuites><testsuite><testcase classname="t" name="a"/><testcase classname="t" name="b">'
        '<error message="setup"/></testcase></testsuite></testsuites>'
    )
    code, lines = run(results, monkeypatch, capsys)
    assert (code, lines[-1]) == (1, "1 passed, 1 failed")
