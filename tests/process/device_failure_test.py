"""A device whose disk refuses a write takes no more until a restart, and everybody can see it."""

import contextlib
import os
import shutil
import subprocess
import time

import pytest
from botocore.exceptions import ClientError
from node import Node


@contextlib.contextmanager
def refusing_writes(file):
    """ext4 refuses writes to an immutable file, also through descriptors that are open."""
    if shutil.which("chattr") is None:
        pytest.skip("needs chattr")
    done = subprocess.run(["chattr", "+i", file], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"needs the right to make files immutable: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", file], check=True)


def probe_until(node, path, code, limit=10.0):
    began = time.monotonic()
    while (answer := node.probe(path))[0] != code:
        assert time.monotonic() - began < limit, answer
        node.ended_within(0.05)
    return answer[1]


def test_a_device_that_failed_shows(scratch):
    body = os.urandom(200_000)
    with Node(scratch / "data", device_capacity="256MiB") as node:
        s3 = node.client()
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="before", Body=body)
        assert node.admin("status")["device"]["failure"] == ""
        with refusing_writes(node.data / "device" / "data"):
            with pytest.raises(ClientError) as refused:
                s3.put_object(Bucket="bucket", Key="after", Body=os.urandom(200_000))
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] >= 500
            probe_until(node, "/readyz", 503)
            assert node.probe("/healthz")[0] == 200
            status = node.admin("status")
            assert "read-only" in status["device"]["failure"]
            assert status["ready"] is False
            assert "kiseki_device_failed 1" in node.probe("/metrics")[1]
            assert s3.get_object(Bucket="bucket", Key="before")["Body"].read() == body
        node.kill()
        node.start()
        probe_until(node, "/readyz", 200)
        s3 = node.client()
        s3.put_object(Bucket="bucket", Key="after", Body=body)
        assert s3.get_object(Bucket="bucket", Key="before")["Body"].read() == body
        assert s3.get_object(Bucket="bucket", Key="after")["Body"].read() == body
