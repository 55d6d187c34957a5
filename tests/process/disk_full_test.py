"""A file system that is full: clear errors, nothing acknowledged lost, and deletes still work."""

import os
import shutil
import subprocess

import pytest
from botocore.exceptions import ClientError

from node import Node

MIB = 1 << 20


class SmallFileSystem:
    """A tmpfs of its own in a mount namespace that a sleeping process holds."""

    def __init__(self, folder, size):
        script = (
            f"mount -t tmpfs -o size={size},mode=0755 tmpfs {folder} && echo ready && exec sleep infinity"
        )
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "bash", "-ec", script],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self.holder.stdout.readline() != "ready\n":
            self.close()
            raise PermissionError("this sandbox forbids mounting in a namespace of one's own")

    @property
    def enter(self):
        """What runs a program inside."""
        return ["nsenter", f"--mount=/proc/{self.holder.pid}/ns/mnt", "--"]

    def run(self, *command):
        return subprocess.run([*self.enter, *command], check=True, capture_output=True, text=True).stdout

    def close(self):
        self.holder.kill()
        self.holder.wait()


class NodeInside(Node):
    """A node whose data only the namespace sees; its port file and its log lie outside."""

    @property
    def port_file(self):
        return self.data.parents[1] / "ports"

    @property
    def log_file(self):
        return self.data.parents[1] / f"{self.starts}.log"


@pytest.fixture
def small(scratch):
    if os.geteuid() != 0 or shutil.which("nsenter") is None:
        pytest.skip("a small file system needs root and nsenter")
    folder = scratch / "small"
    folder.mkdir()
    try:
        system = SmallFileSystem(folder, "700m")
    except PermissionError as refused:
        pytest.skip(str(refused))
    yield folder, system
    system.close()


def fill(s3, limit):
    """Puts 4 MiB objects until one is refused: what was acknowledged, and the refusal."""
    stored = {}
    for number in range(limit):
        body = os.urandom(4 * MIB)
        try:
            s3.put_object(Bucket="bucket", Key=f"k{number:03}", Body=body)
        except ClientError as refused:
            return stored, refused
        stored[f"k{number:03}"] = body
    pytest.fail("the disk never was full")


def test_a_full_disk(small):
    folder, system = small
    environment = {"KISEKI_ROOT_ACCESS_KEY": "operator", "KISEKI_ROOT_SECRET_KEY": "long-enough-secret"}
    node = NodeInside(folder / "data", device_capacity="0", prefix=system.enter, environment=environment)
    with node:
        s3 = node.client()
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="small", Body=b"x" * 1000)
        stored, refused = fill(s3, 400)
        answer = refused.response
        assert answer["ResponseMetadata"]["HTTPStatusCode"] in (500, 503, 507), answer
        assert answer["Error"]["Message"], "it says why"
        assert len(stored) > 10
        for key, body in stored.items():
            assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == body, key
        assert node.probe("/healthz")[0] == 200
        s3.delete_object(Bucket="bucket", Key="k000")
        s3.put_object(Bucket="bucket", Key="small", Body=b"y" * 1000)
        # The rest of the file system goes too, as other programs may take it.
        subprocess.run(
            [*system.enter, "dd", "if=/dev/zero", f"of={folder}/rest", "bs=1M"], capture_output=True
        )
        try:
            s3.put_object(Bucket="bucket", Key="late", Body=b"z" * 100)
            stored["late"] = b"z" * 100
        except ClientError as late:
            assert late.response["Error"]["Message"]
        node.kill()
        system.run("rm", f"{folder}/rest")
        node.start()
        s3 = node.client()
        del stored["k000"]
        for key, body in stored.items():
            assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == body, key
        assert s3.get_object(Bucket="bucket", Key="small")["Body"].read() == b"y" * 1000
