"""tools/tidy.py finds what it says it finds, and nothing in plain code."""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("tidy", ROOT / "tools" / "tidy.py")
tidy = importlib.util.module_from_spec(SPEC)
sys.modules["tidy"] = tidy
SPEC.loader.exec_module(tidy)

LAYERS = tidy.Layers.parse(
    "# comment\nbase:\nshard: base\nkeys: base\nfs: base keys shard\nsim: base\n\n"
    "blind: base shard\ntest-only: sim\n"
)


ROOMS = tidy.Layers.parse("base:\nfs: base\nshard: base\nfs/names:\nfs/tree: names\nfs/bodies: names\n")


def rules(path, text, layers=LAYERS):
    return [finding.rule for finding in tidy.check_file(path, text, layers)]


def test_the_graph_of_the_repository_is_sound():
    assert tidy.Layers.parse((ROOT / "src/layers.txt").read_text()).findings("src/layers.txt") == []


def test_a_blind_context_that_names_a_trusted_one_is_found():
    layers = tidy.Layers.parse("base:\nkeys: base\nshard: base keys\nblind: base shard\n")
    assert ["blind shard names keys, which is not"] == [finding.words for finding in layers.findings("f")]


def test_cycles_unknown_names_and_shipped_test_code_are_found():
    layers = tidy.Layers.parse("a: b\nb: a\nc: sim nowhere\nsim:\ntest-only: sim\n")
    words = " / ".join(finding.words for finding in layers.findings("f"))
    assert "cycle: a > b > a" in words and "no such line" in words and "for tests only" in words


def test_an_include_against_the_layers_is_found():
    assert rules("src/shard/x.cc", '#include "keys/keys.h"\n') == ["layer"]
    assert rules("src/fs/x.cc", '#include "keys/keys.h"\n#include <vector>\n') == []


def test_sim_may_be_included_by_tests_alone():
    assert rules("src/shard/x_test.cc", '#include "sim/clock.h"\n') == []
    assert rules("src/shard/x.cc", '#include "sim/clock.h"\n') == ["layer"]


def test_detail_is_private():
    assert rules("src/fs/x.cc", '#include "shard/detail/x.h"\n') == ["include"]
    assert rules("src/shard/x.cc", '#include "shard/detail/x.h"\n') == []


def test_sub_rooms_include_what_their_line_says():
    assert rules("src/fs/tree/x.cc", '#include "fs/names/x.h"\n#include "fs/public.h"\n', ROOMS) == []
    assert rules("src/fs/tree/x.cc", '#include "fs/tree/y.h"\n', ROOMS) == []
    assert rules("src/fs/tree/x.cc", '#include "fs/bodies/x.h"\n', ROOMS) == ["layer"]
    assert rules("src/fs/names/x.h", '#pragma once\n#include "fs/tree/x.h"\n', ROOMS) == ["layer"]


def test_public_headers_include_no_sub_room_and_root_sources_any():
    assert rules("src/fs/public.h", '#pragma once\n#include "fs/names/x.h"\n', ROOMS) == ["layer"]
    assert rules("src/fs/wiring.cc", '#include "fs/names/x.h"\n#include "fs/tree/x.h"\n', ROOMS) == []


def test_tests_include_every_sub_room_of_their_context_and_nothing_else_what_is_for_tests():
    assert rules("src/fs/names/x_test.cc", '#include "fs/testing/a.h"\n#include "fs/tree/x.h"\n', ROOMS) == []
    assert rules("src/fs/testing/a.h", '#pragma once\n#include "fs/tree/x.h"\n', ROOMS) == []
    assert rules("src/fs/names/x.cc", '#include "fs/testing/a.h"\n', ROOMS) == ["layer"]


def test_sub_rooms_are_private():
    assert rules("src/fs/x.cc", '#include "shard/machine/x.h"\n') == ["include"]
    assert rules("tests/sim/x.cc", '#include "fs/tree/x.h"\n') == ["include"]
    assert rules("tests/sim/x.cc", '#include "fs/testing/x.h"\n') == []


def test_sub_rooms_have_an_order():
    layers = tidy.Layers.parse("fs:\nfs/a: b\nfs/b: a c\n")
    words = " / ".join(finding.words for finding in layers.findings("f"))
    assert "cycle: fs/a > fs/b > fs/a" in words and "fs/b names fs/c: no such line" in words


def test_every_sub_room_has_its_line_and_every_line_its_folder():
    files = ["fs/names/x.h", "fs/tree/x.cc", "fs/odd/x.cc", "fs/testing/x.h", "shard/detail/x.h"]
    files = [f"src/{name}" for name in files]
    words = [finding.words for finding in tidy.check_rooms(files, ROOMS) if finding.rule == "layers"]
    assert words == ["src/fs/odd has no line", "fs/bodies has a line and no folder"]


def test_a_source_lies_beside_its_header():
    files = ["src/fs/names/x.h", "src/fs/names/x.cc", "src/fs/x_test.cc", "src/fs/wiring.cc"]
    places = [finding.path for finding in tidy.check_rooms(files, ROOMS) if finding.rule == "place"]
    assert places == ["src/fs/x_test.cc"]


def test_an_include_that_starts_at_no_context_is_found():
    assert rules("src/fs/x.cc", '#include "x.h"\n') == ["include"]


def test_a_header_opens_with_pragma_once():
    assert rules("src/fs/x.h", "// what it is\n#pragma once\n") == []
    assert rules("src/fs/x.h", "#include <vector>\n") == ["pragma-once"]


def test_limits():
    assert rules("src/fs/x.cc", "void f() {\n" + "  g();\n" * 68 + "}\n") == []
    assert rules("src/fs/x.cc", "void f() {\n" + "  g();\n" * 69 + "}\n") == ["function-size"]
    two = "void f(int a,\n       int b) {\n" + "  if (a) {\n    g();\n  }\n" * 22 + "}\n"
    assert rules("src/fs/x.cc", two * 2) == []
    nested = "void f() {\n  if (a) {\n" + "    g();\n" * 68 + "  } else {\n  }\n}\n"
    assert rules("src/fs/x.cc", nested) == ["function-size"] * 2
    assert rules("src/fs/x.cc", "int a;\n" * 801) == ["file-size"]
    assert rules("src/fs/x.cc", "int a = " + "1" * 110 + ";\n") == ["columns"]


def test_names_that_say_nothing():
    assert rules("src/fs/utils.h", "#pragma once\n") == ["name"]
    assert rules("src/fs/path_helper.cc", "") == ["name"]
    assert rules("src/fs/x.cc", "class Connection" "Manager {};\n") == ["name"]


def test_tests_that_sleep_or_are_switched_off():
    assert rules("src/fs/x_test.cc", "TEST(A, DISABL" "ED_b) {}\n") == ["disabled"]
    assert rules("src/fs/x_test.cc", "std::this_thread::sle" "ep_for(1s);\n") == ["sleep"]
    assert rules("tests/process/x.py", "time.sle" "ep(1)\n") == ["sleep"]
