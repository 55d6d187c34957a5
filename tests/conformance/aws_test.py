"""The aws command line, a current one and Debian's: what it moves is byte-identical."""

import base64
import filecmp
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import zlib
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

    def api(self, operation, *words):
        """An operation of s3api, and what it answers."""
        out = self("s3api", operation, "--output", "json", *words).stdout
        return json.loads(out) if out.strip() else {}


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


def sha256_of(data):
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


def crc32_of(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


def test_checksums_are_kept_and_shown(aws, bucket, scratch):
    here = ["--bucket", bucket, "--key", "sum"]
    write_random(scratch / "in", 3 * MIB)
    expected = sha256_of((scratch / "in").read_bytes())
    put = aws.api("put-object", *here, "--body", scratch / "in", "--checksum-algorithm", "SHA256")
    assert put["ChecksumSHA256"] == expected
    assert aws.api("head-object", *here, "--checksum-mode", "ENABLED")["ChecksumSHA256"] == expected
    assert "ChecksumSHA256" not in aws.api("head-object", *here)
    got = aws.api("get-object", *here, "--checksum-mode", "ENABLED", scratch / "out")
    assert got["ChecksumSHA256"] == expected
    assert filecmp.cmp(scratch / "in", scratch / "out", shallow=False)


def upload_parts(aws, here, upload, files, field, algorithm):
    parts = []
    for number, file in enumerate(files, 1):
        part = aws.api(
            "upload-part", *here, "--upload-id", upload, "--part-number", number, "--body", file,
            "--checksum-algorithm", algorithm,
        )
        parts.append({"PartNumber": number, "ETag": part["ETag"], field: part[field]})
    return json.dumps({"Parts": parts})


def test_checksums_of_uploads_are_composed_and_parts_are_read_by_number(aws, bucket, scratch):
    here = ["--bucket", bucket, "--key", "parts"]
    files = [scratch / "first", scratch / "second"]
    write_random(files[0], 5 * MIB)
    write_random(files[1], MIB)
    upload = aws.api("create-multipart-upload", *here, "--checksum-algorithm", "SHA256")["UploadId"]
    parts = upload_parts(aws, here, upload, files, "ChecksumSHA256", "SHA256")
    done = aws.api("complete-multipart-upload", *here, "--upload-id", upload, "--multipart-upload", parts)
    digests = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in files)
    expected = sha256_of(digests) + "-2"
    assert done["ChecksumSHA256"] == expected
    assert aws.api("head-object", *here, "--checksum-mode", "ENABLED")["ChecksumSHA256"] == expected
    got = aws.api("get-object", *here, "--part-number", 2, scratch / "out")
    assert got["PartsCount"] == 2
    assert filecmp.cmp(files[1], scratch / "out", shallow=False)


@pytest.mark.parametrize("aws", [CURRENT], ids=["current"], indirect=True)  # Debian's has no --checksum-type
def test_an_upload_may_have_one_checksum_of_all_its_bytes(aws, bucket, scratch):
    here = ["--bucket", bucket, "--key", "whole"]
    files = [scratch / "first", scratch / "second"]
    write_random(files[0], 5 * MIB)
    write_random(files[1], MIB)
    made = aws.api(
        "create-multipart-upload", *here, "--checksum-algorithm", "CRC32", "--checksum-type", "FULL_OBJECT"
    )
    upload = made["UploadId"]
    parts = upload_parts(aws, here, upload, files, "ChecksumCRC32", "CRC32")
    done = aws.api(
        "complete-multipart-upload", *here, "--upload-id", upload, "--multipart-upload", parts,
        "--checksum-type", "FULL_OBJECT",
    )
    assert done["ChecksumCRC32"] == crc32_of(b"".join(file.read_bytes() for file in files))
    assert done["ChecksumType"] == "FULL_OBJECT"


def test_buckets_have_tags(aws, bucket):
    tags = {"TagSet": [{"Key": "team", "Value": "storage"}, {"Key": "a b", "Value": ""}]}
    aws.api("put-bucket-tagging", "--bucket", bucket, "--tagging", json.dumps(tags))
    assert aws.api("get-bucket-tagging", "--bucket", bucket) == tags
    aws.api("delete-bucket-tagging", "--bucket", bucket)
    gone = aws("s3api", "get-bucket-tagging", "--bucket", bucket, ok=False)
    assert "NoSuchTagSet" in gone.stderr
