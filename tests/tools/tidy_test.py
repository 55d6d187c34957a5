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


def names(code):
    return [(found.name, found.lines, found.parameters) for found in tidy.functions(tidy.bare(code))]


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
    places = [finding.place for finding in tidy.check_rooms(files, ROOMS) if finding.rule == "place"]
    assert places == ["src/fs/x_test.cc"]


def test_an_include_that_starts_at_no_context_is_found():
    assert rules("src/fs/x.cc", '#include "x.h"\n') == ["include"]


def test_a_header_opens_with_pragma_once():
    assert rules("src/fs/x.h", "// what it is\n#pragma once\n") == []
    assert rules("src/fs/x.h", "#include <vector>\n") == ["pragma-once"]


def test_the_own_header_comes_first():
    assert rules("src/base/result.cc", '#include "base/result.h"\n') == []
    assert rules("src/base/result.cc", '#include <vector>\n#include "base/result.h"\n') == ["own-header"]


def test_functions_are_measured_and_what_stands_inside_is_part_of_them():
    code = """namespace a {
class B : public C {
 public:
  B(int x, int y) : x_{x}, y_(y) {
    go([&](int a, int b) { return a; });
  }
  int get() const { return x_; }
  std::map<int, std::string> all(std::map<int, long> m, int n = f(1, 2));
  bool operator()(int a) const;
 private:
  int x_{0}, y_;
  std::array<int, 3> z_ = {1, 2, 3};
};
template <class T, class U>
Task<Result<>> B::run(std::function<void(int, int)> f, T t)
{
  if (t) { return; }
  while (true) {}
}
TEST(B, runs) {}
}
"""
    assert names(code) == [
        ("B", 3, 2),
        ("get", 1, 0),
        ("all", 0, 2),
        ("operator()", 0, 1),
        ("B::run", 6, 2),
        ("TEST", 1, 2),
    ]


def test_strings_comments_and_digit_separators_do_not_confuse():
    code = "void f() {\n  // }\n  g(\"{\", '{', 1'000'000, R\"(}})\");\n}\nint h(int a);\n"
    assert names(code) == [("f", 4, 0), ("h", 0, 1)]


def test_enums_and_aggregates_are_not_functions():
    code = "enum class E : int { a = 1, b };\nconstexpr E all[] = {E::a, E::b};\nstruct S { int a = 0; };\n"
    assert names(code) == []


def test_limits():
    assert rules("src/fs/x.cc", "void f() {\n" + "  g();\n" * 68 + "}\n") == []
    assert rules("src/fs/x.cc", "void f() {\n" + "  g();\n" * 69 + "}\n") == ["function-size"]
    assert rules("src/fs/x.cc", "void f(int a, int b, int c, int d, int e, int f);\n") == ["parameters"]
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


def test_exceptions_excuse_need_a_reason_and_must_be_used():
    found = [tidy.Finding("columns", "src/a.cc", 3, "long")]
    assert tidy.apply_exceptions(found, "columns src/a.cc  a table\n", "e") == []
    without_reason = tidy.apply_exceptions(found, "columns src/a.cc\n", "e")
    assert [finding.rule for finding in without_reason] == ["exceptions", "columns"]
    unused = tidy.apply_exceptions([], "columns src/a.cc  a table\n", "e")
    assert [finding.rule for finding in unused] == ["exceptions"]
