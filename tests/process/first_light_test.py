"""The first minutes with a node: what it prints, what goes in comes out, what survives a restart."""

import os
import re
import stat
import subprocess

import pytest
from botocore.exceptions import ClientError

from node import Node

KIB, MIB = 1 << 10, 1 << 20
# Around every border: embedded, inline, one block, many blocks, one piece, many pieces.
SIZES = [
    0,
    1,
    511,
    512,
    513,
    4 * KIB,
    16 * KIB - 1,
    16 * KIB,
    16 * KIB + 1,
    64 * KIB,
    64 * KIB + 1,
    MIB + 7,
    4 * MIB - 1,
    4 * MIB,
    4 * MIB + 1,
    9 * MIB + 3,
]


def content(size, seed=1):
    return os.urandom(size) if seed is None else (f"{seed}:".encode() * (size // 2 + 1))[:size]


def test_the_start_says_all_that_is_needed(node):
    text = node.log_text()
    access_key, _ = node.credential()
    assert f"endpoint    {node.endpoint}" in text
    assert f"access key  {access_key}" in text
    assert f"in {node.data}/root-credential" in text
    assert re.search(r"^  aws .*--endpoint-url", text, re.M) and re.search(r"^  curl --aws-sigv4", text, re.M)
    assert "whoever takes the disk takes the keys too" in text
    assert node.credential()[1] not in text, "the secret itself belongs in no log"


def test_the_printed_curl_line_works(node):
    lines = node.log_text().splitlines()
    source = next(line for line in lines if line.startswith("  . "))
    curl = next(line for line in lines if line.startswith("  curl "))
    done = subprocess.run(
        ["bash", "-ec", f"{source}\n{curl} --silent --show-error --fail"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    assert "ListAllMyBucketsResult" in done.stdout


def test_curl_puts_and_gets(node, scratch):
    access_key, secret = node.credential()
    curl = [
        "curl",
        "-sS",
        "--fail",
        "--aws-sigv4",
        "aws:amz:us-east-1:s3",
        "--user",
        f"{access_key}:{secret}",
    ]
    unsigned = ["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]  # curl hashes no file it uploads
    (scratch / "in").write_bytes(content(100_000))
    subprocess.run([*curl, "-X", "PUT", f"{node.endpoint}/first"], check=True, timeout=30)
    subprocess.run(
        [*curl, *unsigned, "-T", scratch / "in", f"{node.endpoint}/first/hello.bin"], check=True, timeout=30
    )
    subprocess.run([*curl, "-o", scratch / "out", f"{node.endpoint}/first/hello.bin"], check=True, timeout=30)
    assert (scratch / "out").read_bytes() == content(100_000)


def test_a_bucket_is_reached_by_its_host_name_too(scratch):
    with Node(scratch / "data", domain="s3.example.org") as node:
        node.client().create_bucket(Bucket="bucket")
        node.client().put_object(Bucket="bucket", Key="k", Body=b"by path")
        port = node.addresses["s3"].split(":")[1]
        got = subprocess.run(
            ["curl", "-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", ":".join(node.credential())]
            + ["--resolve", f"bucket.s3.example.org:{port}:127.0.0.1"]
            + [f"http://bucket.s3.example.org:{port}/k"],
            capture_output=True,
            check=True,
        )
        assert got.stdout == b"by path"


def test_files_that_hold_secrets_are_closed_to_others(node):
    for name in ("root-credential", "keys", "admin.sock"):
        assert stat.S_IMODE((node.data / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE(node.data.stat().st_mode) == 0o700


def test_every_size_comes_back_as_it_went_in_also_after_restarts(node):
    s3 = node.client()
    s3.create_bucket(Bucket="sizes")
    for size in SIZES:
        s3.put_object(
            Bucket="sizes", Key=f"dir/{size}", Body=content(size, size), Metadata={"size": str(size)}
        )
    for end in (None, node.stop, node.kill):
        if end is not None:
            end()
            node.start()
            s3 = node.client()
        for size in SIZES:
            got = s3.get_object(Bucket="sizes", Key=f"dir/{size}")
            assert got["Body"].read() == content(size, size), size
            assert got["Metadata"] == {"size": str(size)}
        listed = s3.list_objects_v2(Bucket="sizes")["Contents"]
        assert {item["Key"]: item["Size"] for item in listed} == {f"dir/{size}": size for size in SIZES}


def test_ranges_are_exact(node):
    s3 = node.client()
    s3.create_bucket(Bucket="ranges")
    body = os.urandom(9 * MIB + 3)
    s3.put_object(Bucket="ranges", Key="k", Body=body)
    for first, last in [
        (0, 0),
        (65535, 65536),
        (4 * MIB - 1, 4 * MIB),
        (100, 5 * MIB),
        (len(body) - 1, len(body) - 1),
    ]:
        got = s3.get_object(Bucket="ranges", Key="k", Range=f"bytes={first}-{last}")
        assert got["Body"].read() == body[first : last + 1]
    assert s3.get_object(Bucket="ranges", Key="k", Range="bytes=-10")["Body"].read() == body[-10:]
    with pytest.raises(ClientError) as refused:
        s3.get_object(Bucket="ranges", Key="k", Range=f"bytes={len(body)}-")
    assert refused.value.response["Error"]["Code"] == "InvalidRange"


def test_a_signal_ends_a_node_gracefully(node):
    assert node.stop() == 0
    assert not (node.data / "admin.sock").exists()


def test_the_root_credential_can_come_from_the_environment(scratch):
    given = {"KISEKI_ROOT_ACCESS_KEY": "operator", "KISEKI_ROOT_SECRET_KEY": "correct-horse-battery"}
    with Node(scratch / "data", environment=given) as node:
        assert not (node.data / "root-credential").exists()
        assert "correct-horse-battery" not in node.log_text()
        node.client().create_bucket(Bucket="bucket")
        node.stop()
        changed = Node(
            scratch / "data", environment=given | {"KISEKI_ROOT_SECRET_KEY": "another-long-secret"}
        )
        with changed:
            assert [bucket["Name"] for bucket in changed.client().list_buckets()["Buckets"]] == ["bucket"]
            with pytest.raises(ClientError) as refused:
                changed.client(credential=("operator", "correct-horse-battery")).list_buckets()
            assert refused.value.response["Error"]["Code"] == "SignatureDoesNotMatch"


def test_health_readiness_and_metrics_are_served_and_nothing_else(node):
    assert node.probe("/healthz") == (200, "ok\n")
    assert node.probe("/readyz") == (200, "ready\n")
    status, metrics = node.probe("/metrics")
    assert status == 200 and "# TYPE kiseki_" in metrics
    assert node.probe("/")[0] == 404 and node.probe("/status")[0] == 404
