"""Every wrong start says why in one sentence, ends with a code other than 0, and touches nothing."""

import hashlib
import os
import shutil
import socket
import subprocess

import pytest

from node import SERVER, Node, clean_environment


def refuse(arguments, code, **environment):
    """Starts, expects the refusal, and returns its sentence."""
    done = subprocess.run(
        [SERVER, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(**environment),
    )
    assert done.returncode == code, done.stderr
    sentences = [line for line in done.stderr.splitlines() if line.startswith("kiseki-server: ")]
    assert len(sentences) == 1, done.stderr
    assert "endpoint" not in done.stdout
    return sentences[0]


def photograph(folder):
    """Names, modes, times and contents of everything below."""
    seen = {}
    for path in sorted(folder.rglob("*")):
        if path.is_socket():
            continue
        about = path.lstat()
        digest = (
            hashlib.sha256(path.read_bytes()).hexdigest()
            if path.is_file() and about.st_size < 1 << 28
            else ""
        )
        seen[str(path)] = (about.st_mode, about.st_size, about.st_mtime_ns, digest)
    return seen


def serve(data, *more):
    return ["serve", "--data", data, "--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0", *more]


@pytest.fixture
def stopped(scratch):
    """A node that has data and does not run."""
    with Node(scratch / "data") as node:
        node.client().create_bucket(Bucket="bucket")
        node.client().put_object(Bucket="bucket", Key="k", Body=b"x" * 100_000)
        node.stop()
        yield node


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--s3", "localhost"], "is not ADDRESS:PORT"),
        (["--s3", "127.0.0.1:70000"], "is not ADDRESS:PORT"),
        (["--s3", "127.0.0.1:9", "--admin", "127.0.0.1:9"], "are both"),
        (["--cores", "many"], "is not a number"),
        (["--cores", "1000"], "is not a number from 0 to 256"),
        (["--disk-io", "fast"], "none of auto, uring, threads"),
        (["--memory-payload", "1MiB"], "not a size of at least"),
        (["--memory-store", "lots"], "not a size"),
        (["--region", "US EAST"], "not a region"),
        (["--log-level", "loud"], "none of"),
        (["--nonsense"], "--nonsense"),
        (["--config", "/nowhere/kiseki.toml"], "no such configuration file"),
    ],
)
def test_a_wrong_flag(scratch, arguments, words):
    assert words in refuse(["serve", "--data", scratch / "data", *arguments], 2)
    assert not (scratch / "data").exists()


@pytest.mark.parametrize(
    "text, words",
    [
        ('[s3]\nlistn = "127.0.0.1:9000"\n', "unknown key 's3.listn'"),
        ('[s3\nlisten = "127.0.0.1:9000"\n', "line 1, column"),
        ("cores = true\n", "neither a string nor an integer"),
        ("cores = -1\n", "cores: '-1' is not a number"),
        ('[admin]\nlisten = "nowhere"\n', "admin.listen"),
    ],
)
def test_a_wrong_file(scratch, text, words):
    file = scratch / "kiseki.toml"
    file.write_text(text)
    sentence = refuse(["serve", "--data", scratch / "data", "--config", file], 2)
    assert words in sentence and str(file) in sentence
    assert not (scratch / "data").exists()


@pytest.mark.parametrize(
    "environment, words",
    [
        ({"KISEKI_CORES": "x"}, "KISEKI_CORES"),
        ({"KISEKI_ROOT_ACCESS_KEY": "operator"}, "set together"),
        ({"KISEKI_ROOT_ACCESS_KEY": "operator", "KISEKI_ROOT_SECRET_KEY": "short"}, "8 to 128"),
        ({"KISEKI_ROOT_ACCESS_KEY": "a b", "KISEKI_ROOT_SECRET_KEY": "long-enough"}, "3 to 128"),
    ],
)
def test_a_wrong_environment(scratch, environment, words):
    assert words in refuse(serve(scratch / "data"), 2, **environment)
    assert not (scratch / "data").exists()


def test_no_command_is_a_sentence_too():
    refuse([], 2)


@pytest.mark.parametrize("flag", ["--s3", "--admin"])
def test_a_port_in_use(scratch, flag):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        other = "--admin" if flag == "--s3" else "--s3"
        sentence = refuse(["serve", "--data", scratch / "data", flag, address, other, "127.0.0.1:0"], 1)
    assert address in sentence and "in use" in sentence
    assert not (scratch / "data").exists()


def test_an_address_that_is_not_this_machines(scratch):
    assert "192.0.2.1:9000" in refuse(["serve", "--data", scratch / "data", "--s3", "192.0.2.1:9000"], 1)
    assert not (scratch / "data").exists()


def test_two_servers_on_one_data_directory(node):
    before = photograph(node.data)
    assert "another kiseki-server is using it" in refuse(serve(node.data), 1)
    assert photograph(node.data).keys() == before.keys()
    node.client().list_buckets()


def test_a_directory_of_something_else(scratch):
    (scratch / "thesis.tex").write_text("mine")
    before = photograph(scratch)
    sentence = refuse(serve(scratch), 1)
    assert "is not a data directory" in sentence and "thesis.tex" in sentence
    assert photograph(scratch) == before


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda text: text.replace("version 1", "version 2"), "version is '2'"),
        (lambda text: "", "not the marker"),
        (lambda text: text[:-10], "damaged"),
        (lambda text: "SQLite format 3", "not the marker"),
    ],
)
def test_a_data_directory_of_another_format(stopped, change, words):
    marker = stopped.data / "kiseki.format"
    marker.write_text(change(marker.read_text()))
    before = photograph(stopped.data)
    assert words in refuse(serve(stopped.data), 1)
    assert photograph(stopped.data) == before


def test_a_file_where_the_data_directory_should_be(scratch):
    (scratch / "data").write_text("mine")
    assert str(scratch / "data") in refuse(serve(scratch / "data"), 1)
    assert (scratch / "data").read_text() == "mine"


def test_a_missing_key_file(stopped):
    (stopped.data / "keys").rename(stopped.data.with_name("kept"))
    before = photograph(stopped.data)
    sentence = refuse(serve(stopped.data), 1)
    assert "is missing" in sentence and str(stopped.data / "keys") in sentence
    assert photograph(stopped.data) == before
    stopped.data.with_name("kept").rename(stopped.data / "keys")
    stopped.start()
    assert stopped.client().get_object(Bucket="bucket", Key="k")["Body"].read() == b"x" * 100_000


def test_the_key_file_of_another_node(stopped, scratch):
    with Node(scratch / "other") as other:
        other.stop()
    shutil.copy(scratch / "other" / "keys", stopped.data / "keys")
    before = photograph(stopped.data)
    assert "other keys" in refuse(serve(stopped.data), 1)
    assert photograph(stopped.data) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
        lambda data: b"",
    ],
)
def test_a_damaged_key_file(stopped, damage):
    keys = stopped.data / "keys"
    keys.write_bytes(damage(keys.read_bytes()))
    before = photograph(stopped.data)
    assert str(keys) in refuse(serve(stopped.data), 1)
    assert photograph(stopped.data) == before


def test_a_key_file_that_others_may_read(stopped):
    (stopped.data / "keys").chmod(0o644)
    assert str(stopped.data / "keys") in refuse(serve(stopped.data), 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping root needs root")
def test_a_missing_permission(scratch):
    folder = scratch / "roots-own"
    folder.mkdir(mode=0o755)
    scratch.chmod(0o755)
    before = photograph(scratch)
    done = subprocess.run(
        [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            SERVER,
            *map(str, serve(folder / "data")),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        env=clean_environment(),
    )
    if "failed to execute" in done.stderr:
        pytest.skip("another user cannot reach the binary in this checkout")
    assert done.returncode == 1
    assert done.stderr.count("kiseki-server: ") == 1 and "Permission denied" in done.stderr
    assert photograph(scratch) == before


def test_a_port_file_that_cannot_be_written(scratch):
    assert "/nowhere/ports" in refuse(serve(scratch / "data", "--port-file", "/nowhere/ports"), 1)
