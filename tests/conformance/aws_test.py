"""The aws command line, a current one and Debian's: what it moves is byte-identical."""

import filecmp
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
CURRENT = Path(sys.executable).with_name("aws")
DEBIANS = Path("/usr/bin/aws")


class Aws:
    def __init__(self, program, node):
        self.command = [program, "--endpoint-url", node.endpoint, "--no-cli-pager"]
        self.environment = node.client_environment()
        if program == CURRENT:
            self.command.remove("--no-cli-pager")  # version 1 has no pager

    def __call__(self, *words, ok=True):
        done = subprocess.run(
            [*self.command, *map(str, words)],
            capture_output=True,
            text=True,
            timeout=600,
            env=self.environment,
        )
        assert not ok or done.returncode == 0, done.stderr
        return done


@pytest.fixture(params=[CURRENT, DEBIANS], ids=["current", "debian"])
def aws(request, shared_node):
    if not request.param.exists():
        pytest.skip(f"{request.param} is not installed")
    return Aws(request.param, shared_node)


@pytest.fixture
def bucket(aws, request):
    name = f"aws-{request.node.callspec.id}-{os.urandom(3).hex()}"
    aws("s3", "mb", f"s3://{name}")
    yield name
    aws("s3", "rb", f"s3://{name}", "--force")


def write_random(path, size):
    with open(path, "wb") as file:
        while size > 0:
            file.write(os.urandom(min(size, 8 * MIB)))
            size -= 8 * MIB


def make_tree(folder, files):
    """Names and sizes of every kind, also awkward ones."""
    rng = random.Random(files)
    words = ["a", "b c", "ü", "日本", "x+y", "p%20q", "dash-", "dot.", "(z)", "long" * 20]
    for number in range(files):
        parts = [rng.choice(words) for _ in range(rng.randrange(4))]
        path = folder.joinpath(*parts, f"file {number}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(rng.randbytes(rng.choice([0, 1, 300, 5000, 20_000, 100_000])))


def same_trees(left, right):
    names = {path.relative_to(left) for path in left.rglob("*") if path.is_file()}
    assert names == {path.relative_to(right) for path in right.rglob("*") if path.is_file()}
    return all(filecmp.cmp(left / name, right / name, shallow=False) for name in names)


def test_files_of_every_size(aws, bucket, scratch, big):
    for size in [1, 20 * KIB, 70_000_000] + ([GIB] if big else []):
        write_random(scratch / "in", size)
        aws("s3", "cp", scratch / "in", f"s3://{bucket}/of/{size}")
        aws("s3", "cp", f"s3://{bucket}/of/{size}", scratch / "out")
        assert filecmp.cmp(scratch / "in", scratch / "out", shallow=False), size
    listed = aws("s3", "ls", "--recursive", f"s3://{bucket}/").stdout
    assert "70000000 of/70000000" in listed


def test_a_tree_goes_both_ways(aws, bucket, scratch, big):
    there, back = scratch / "there", scratch / "back"
    make_tree(there, 2000 if big else 250)
    aws("s3", "sync", there, f"s3://{bucket}/tree")
    assert aws("s3", "sync", there, f"s3://{bucket}/tree").stdout == "", "the second time moves nothing"
    aws("s3", "sync", f"s3://{bucket}/tree", back)
    assert same_trees(there, back)
    victim = next(path for path in sorted(there.rglob("*")) if path.is_file())
    victim.unlink()
    aws("s3", "sync", "--delete", there, f"s3://{bucket}/tree")
    shutil.rmtree(back)
    aws("s3", "sync", f"s3://{bucket}/tree", back)
    assert same_trees(there, back)


def test_move_copy_and_remove(aws, bucket, scratch):
    write_random(scratch / "in", 9 * MIB)
    aws("s3", "mv", scratch / "in", f"s3://{bucket}/first")
    assert not (scratch / "in").exists()
    aws("s3", "cp", f"s3://{bucket}/first", f"s3://{bucket}/second")
    aws("s3", "mv", f"s3://{bucket}/second", f"s3://{bucket}/third")
    assert aws("s3", "ls", f"s3://{bucket}/").stdout.split()[3::4] == ["first", "third"]
    aws("s3", "rm", f"s3://{bucket}/first")
    aws("s3", "rm", "--recursive", f"s3://{bucket}/")
    assert aws("s3", "ls", f"s3://{bucket}/").stdout == ""


def test_what_is_not_there_is_said(aws, bucket):
    assert "404" in aws("s3", "cp", f"s3://{bucket}/nothing", "-", ok=False).stderr
    assert "NoSuchBucket" in aws("s3", "ls", "s3://no-such-bucket-here", ok=False).stderr
