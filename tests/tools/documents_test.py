"""Documents agree with the tree: what they link, cite and name as a proof exists."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINK = re.compile(r"\]\(([^)\s#]+)(?:#[^)\s]*)?\)")
PAGE = re.compile(r"\bdocs/[\w./-]+\.md\b")
PATH = re.compile(r"`((?:src|tests|tools|docs|bench|cmake|packaging|examples)/[\w./-]+)`")
TEST_FILE = re.compile(r"([\w/]*\w_test\.(?:cc|py))(?:::(\w+))?")
GTEST = re.compile(r"\bTEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\s*\)")
CITING = {".h", ".cc", ".py", ".md", ".txt", ".cmake", ".rs", ".toml", ""}


def tracked():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(name for name in listing.split("\0") if name and (ROOT / name).is_file())


FILES = tracked()


def texts(wanted):
    for name in FILES:
        if wanted(Path(name)):
            try:
                yield name, (ROOT / name).read_text()
            except UnicodeDecodeError:
                continue  # a corpus file


def documents():
    return texts(lambda path: path.suffix == ".md")


def exists(path):
    return (ROOT / path).exists()


def names_of_tests():
    """`Suite.name` of the compiled tests, `test_name` of the others."""
    names = set()
    for _, text in texts(lambda path: path.suffix == ".cc"):
        names |= {f"{suite}.{name}" for suite, name in GTEST.findall(text)}
    for _, text in texts(lambda path: path.name.endswith("_test.py")):
        names |= set(re.findall(r"^def (test_\w+)", text, re.MULTILINE))
    return names


def missing_tests(text):
    """Test files, and tests in them as `file::test`, that `text` names and the tree lacks."""
    missing = []
    for file, case in TEST_FILE.findall(text):
        homes = [name for name in FILES if name == file or name.endswith("/" + file)]
        if not homes or (case and not any(f"def {case}(" in (ROOT / home).read_text() for home in homes)):
            missing.append(f"{file}::{case}" if case else file)
    return missing


def section(text, title):
    match = re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return match.group(1) if match else ""


def rows(text):
    """The cells of a table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_link_leads_somewhere():
    dead = []
    for name, text in documents():
        for target in LINK.findall(text):
            if "://" not in target and not target.startswith("mailto:"):
                if not (ROOT / name).parent.joinpath(target).exists():
                    dead.append(f"{name}: {target}")
    assert dead == []


def test_every_cited_page_exists():
    this = str(Path(__file__).relative_to(ROOT))
    cited = texts(lambda path: path.suffix in CITING and str(path) != this)
    pages = ((name, page) for name, text in cited for page in PAGE.findall(text))
    assert [f"{name}: {page}" for name, page in pages if not exists(page)] == []


def test_every_path_in_a_document_exists():
    paths = ((name, path) for name, text in documents() for path in PATH.findall(text))
    assert [f"{name}: {path}" for name, path in paths if not exists(path)] == []


def test_every_decision_is_listed():
    index = (ROOT / "docs/decisions/README.md").read_text()
    pages = [Path(name).name for name in FILES if name.startswith("docs/decisions/")]
    assert [page for page in pages if page != "README.md" and f"({page})" not in index] == []


def test_the_proofs_of_the_status_table_exist():
    assert missing_tests(section((ROOT / "README.md").read_text(), "Status")) == []


def test_every_fault_mended_names_a_test_that_exists():
    known = names_of_tests()
    unproven = []
    for cells in rows(section((ROOT / "docs/status.md").read_text(), "Faults mended")):
        proofs = re.findall(r"`([^`]+)`", cells[-1])
        named = [proof for proof in proofs if TEST_FILE.search(proof)]
        plain = [proof for proof in proofs if proof not in named]
        lost = missing_tests(" ".join(named)) + [proof for proof in plain if proof not in known]
        if not proofs or lost:
            unproven.append(f"{cells[0]}: {', '.join(lost) or 'no test'}")
    assert unproven == []
