"""Words that code and documents share: every error is produced and documented, every setting is read."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]


def sources(folder: str) -> dict[pathlib.Path, str]:
    """What ships, without tests."""
    files = [path for path in (ROOT / folder).rglob("*") if path.suffix in (".h", ".cc")]
    return {path: path.read_text() for path in files
            if not path.name.endswith(("_test.cc", "_fuzz.cc")) and "testing" not in path.parts}


def errors() -> dict[str, int]:
    text = (ROOT / "src/base/result.h").read_text()
    enumeration = text[text.index("enum class Errc"):text.index("enum class ErrorClass")]
    return {name: int(number) for name, number in re.findall(r"^  (\w+) = (\d+),", enumeration, re.M)}


def test_every_error_is_produced() -> None:
    produced = set()
    for path, text in sources("src").items():
        if path.name.startswith("result.") and path.parent.name == "base":
            continue
        produced |= set(re.findall(r"Errc::(\w+)", re.sub(r"case Errc::\w+:", "", text)))
    assert set(errors()) - produced == set()


def test_every_error_is_documented() -> None:
    page = (ROOT / "docs/formats/errors.md").read_text()
    rows = {name: int(number) for number, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", page, re.M)}
    assert rows == errors()


def test_every_setting_is_read() -> None:
    texts = sources("src/apps")
    header = texts[ROOT / "src/apps/config.h"]
    config = header[header.index("struct Config {"):header.index("};", header.index("struct Config {"))]
    fields = re.findall(r"^  [\w:]+ (\w+)(?: = [^;]+)?;", config, re.M)
    assert len(fields) > 10
    readers = "".join(text for path, text in texts.items() if not path.name.startswith("config"))
    assert [field for field in fields if not re.search(rf"config_?(->|\.){field}\b", readers)] == []
