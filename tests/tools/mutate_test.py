"""tools/mutate finds the places of its faults and puts both forms behind a switch."""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LOADER = importlib.machinery.SourceFileLoader("mutate", str(ROOT / "tools" / "mutate"))
mutate = importlib.util.module_from_spec(importlib.util.spec_from_loader("mutate", LOADER))
sys.modules["mutate"] = mutate
LOADER.exec_module(mutate)


def fault(before, after, file="x.cc"):
    return mutate.Fault(7, "raft", "a name", file, before, after)


def switched(before, after):
    return fault(before, after).switched()


def test_every_fault_has_a_name_of_its_own_and_changes_something():
    faults = mutate.read_faults()
    names = [one.name for one in faults]
    assert [name for name in names if names.count(name) > 1] == []
    assert [one.name for one in faults if one.before == one.after] == []


def test_most_faults_have_their_place():
    faults = mutate.read_faults()
    mutate.find_places(faults, ROOT)
    lost = [f"{one.name}: {one.lost}" for one in faults if one.lost]
    assert len(lost) * 10 <= len(faults), lost


def test_a_place_is_found_however_it_is_broken_into_lines(tmp_path):
    folder = tmp_path / "src" / "raft" / "room"
    folder.mkdir(parents=True)
    (folder / "x.cc").write_text("void f() {\n  go(first,\n     second);\n}\n")
    (folder / "y.cc").write_text("void f() {}\n")
    found, moved = fault("go(first, second);", ""), fault("go(first, second);", "", "y.cc")
    twice, nowhere = fault("void f() {", "", "z.cc"), fault("stop();", "")
    mutate.find_places([found, moved, twice, nowhere], tmp_path)
    assert (found.lost, found.before) == ("", "go(first,\n     second);")
    assert moved.path == found.path
    assert (twice.lost, nowhere.lost) == ("2 places", "0 places")


def test_values_and_conditions_and_statements_are_switched():
    here = "::kiseki::mutant(7)"
    assert switched("const bool a = b && c;", "const bool a = b;").endswith(f"a = {here} ? (b) : (b && c);")
    assert switched("if (a >= b) {", "if (a > b) {") == f"if ({here} ? (a > b) : (a >= b)) {{"
    assert switched("} else if (a) {", "} else if (b) {") == f"}} else if ({here} ? (b) : (a)) {{"
    assert switched("co_await sync();", "") == f"if ({here}) {{  }} else {{ co_await sync(); }}"
    assert switched("if (a == b) go();", "go();") == f"if ({here}) {{ go(); }} else {{ if (a == b) go(); }}"
    assert switched("a || b", "a") == f"({here} ? (a) : (a || b))"


def test_what_no_switch_can_choose_is_left():
    assert switched("for (auto a : {b, c}) {", "for (auto a : {b}) {") is None
    assert switched("for (a(b); c;", "for (a(); c;") is None
    assert switched("const A a{b};", "const A a{};") is None
