"""Bytes on disk that changed by themselves: a clear error, never a wrong byte, and all the rest is served."""

import os
import re

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from node import Node, StartFailed
from sparse import data_ranges

KIB, MIB = 1 << 10, 1 << 20
BLOCK = 4 * KIB


def blocks_of(path):
    """Written blocks of a file by offset; holes and zeros are left out."""
    blocks = {}
    with open(path, "rb") as file:
        for begin, end in data_ranges(file.fileno()):
            for offset in range(begin - begin % BLOCK, end, BLOCK):
                block = os.pread(file.fileno(), BLOCK, offset)
                if block.count(0) != len(block):
                    blocks[offset] = block
    return blocks


def flip(path, offset):
    with open(path, "r+b") as file:
        byte = os.pread(file.fileno(), 1, offset)
        os.pwrite(file.fileno(), bytes([byte[0] ^ 0x10]), offset)
        os.fsync(file.fileno())


def longest_run(offsets):
    """First and last of the longest run of neighbouring blocks."""
    best = (0, -BLOCK)
    start = previous = None
    for offset in sorted(offsets):
        if previous is None or offset != previous + BLOCK:
            start = offset
        previous = offset
        if offset - start > best[1] - best[0]:
            best = (start, offset)
    return best


def device_file(node):
    return max(
        (path for path in (node.data / "device").iterdir() if path.is_file()), key=lambda p: p.stat().st_size
    )


def test_a_damaged_fragment_is_an_error_and_no_wrong_byte(node):
    s3 = node.client()
    s3.create_bucket(Bucket="bucket")
    whole, damaged = os.urandom(2 * MIB), os.urandom(3 * MIB)
    s3.put_object(Bucket="bucket", Key="whole", Body=whole)
    node.stop()
    before = blocks_of(device_file(node))
    node.start()
    node.client().put_object(Bucket="bucket", Key="damaged", Body=damaged)
    node.stop()
    after = blocks_of(device_file(node))
    first, last = longest_run(offset for offset, block in after.items() if before.get(offset) != block)
    assert last - first > 2 * MIB, "the object was not found on the device"
    flip(device_file(node), (first + last) // 2)

    node.start()
    s3 = node.client()
    assert s3.head_object(Bucket="bucket", Key="damaged")["ContentLength"] == len(damaged)
    got = b""
    with pytest.raises((ClientError, BotoCoreError)):
        body = s3.get_object(Bucket="bucket", Key="damaged")["Body"]
        while piece := body.read(64 * KIB):
            got += piece
    assert damaged.startswith(got) and len(got) < len(damaged)
    assert s3.get_object(Bucket="bucket", Key="damaged", Range="bytes=0-99")["Body"].read() == damaged[:100]
    assert s3.get_object(Bucket="bucket", Key="whole")["Body"].read() == whole
    s3.put_object(Bucket="bucket", Key="damaged", Body=b"another")
    assert s3.get_object(Bucket="bucket", Key="damaged")["Body"].read() == b"another"


@pytest.fixture
def crashed(scratch):
    """A node killed after 60 writes, one after another, each with a flush of its own in the log."""
    with Node(scratch / "data") as node:
        s3 = node.client()
        s3.create_bucket(Bucket="bucket")
        for number in range(60):
            s3.put_object(Bucket="bucket", Key=f"k{number:02}", Body=b"x" * 2000)
        node.kill()
        yield node


def log_blocks(node):
    """(file, offset) of every block of a batch, in the order of writing; headers of segments are not."""
    files = [path for path in sorted((node.data / "log").iterdir()) if path.is_file()]
    return [(path, offset) for path in files for offset in sorted(blocks_of(path)) if offset > 0]


def test_a_log_damaged_before_a_proved_flush_is_refused(crashed):
    blocks = log_blocks(crashed)
    path, offset = blocks[len(blocks) // 2]
    flip(path, offset + BLOCK // 2)
    with pytest.raises(StartFailed) as refused:
        crashed.start()
    assert refused.value.code == 1
    sentence = [line for line in refused.value.errors.splitlines() if line.startswith("kiseki-server: ")]
    assert len(sentence) == 1 and "log" in sentence[0]
    assert path.name in sentence[0], "it says in which segment"
    flip(path, offset + BLOCK // 2)
    crashed.start()
    listed = crashed.client().list_objects_v2(Bucket="bucket")["Contents"]
    assert [item["Key"] for item in listed] == [f"k{number:02}" for number in range(60)]


def test_a_last_batch_that_nothing_proves_is_taken_for_torn(crashed):
    path, offset = log_blocks(crashed)[-1]
    written = blocks_of(path)[offset].rstrip(b"\0")
    flip(path, offset + len(written) - 1)
    crashed.start()
    assert re.search("warning.* torn", crashed.log_text())
    keys = [item["Key"] for item in crashed.client().list_objects_v2(Bucket="bucket")["Contents"]]
    assert keys == [f"k{number:02}" for number in range(len(keys))] and len(keys) >= 58
