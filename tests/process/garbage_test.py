"""The space of deleted objects comes back; what is referred to stays, also when the node dies in a round."""

import os
import random
import time

from node import Node

KIB, MIB = 1 << 10, 1 << 20
BUCKET = "garbage"


def status(node):
    return node.admin("status")


def wait_for_rounds(node, count, limit=60.0):
    """Returns the status when so many rounds more have ended."""
    until = status(node)["garbage"]["rounds"] + count
    deadline = time.monotonic() + limit
    while (now := status(node))["garbage"]["rounds"] < until:
        assert time.monotonic() < deadline, now
        node.ended_within(0.1)
    return now


def test_space_of_deleted_objects_comes_back(tmp_path):
    with Node(tmp_path / "data", gc_interval=1) as node:
        s3 = node.client()
        s3.create_bucket(Bucket=BUCKET)
        kept = os.urandom(3 * MIB)
        s3.put_object(Bucket=BUCKET, Key="kept", Body=kept)
        before = wait_for_rounds(node, 3)["device"]["used"]
        for i in range(10):
            s3.put_object(Bucket=BUCKET, Key=f"gone/{i}", Body=os.urandom(5 * MIB))
        s3.copy_object(Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": "gone/0"})
        copied = s3.get_object(Bucket=BUCKET, Key="copy")["Body"].read()
        assert status(node)["device"]["used"] >= before + 50 * MIB
        for i in range(10):
            s3.delete_object(Bucket=BUCKET, Key=f"gone/{i}")
        after = wait_for_rounds(node, 4)
        assert before + 5 * MIB <= after["device"]["used"] <= before + 6 * MIB
        assert after["garbage"]["freed_bytes"] >= 45 * MIB and after["garbage"]["stalled"] == ""
        assert s3.get_object(Bucket=BUCKET, Key="kept")["Body"].read() == kept
        assert s3.get_object(Bucket=BUCKET, Key="copy")["Body"].read() == copied


def test_freed_space_takes_new_objects(tmp_path):
    with Node(tmp_path / "data", device_capacity="256MiB", gc_interval=1) as node:
        s3 = node.client()
        s3.create_bucket(Bucket=BUCKET)
        for turn in range(4):
            for i in range(15):
                s3.put_object(Bucket=BUCKET, Key=f"{turn}/{i}", Body=os.urandom(10 * MIB))
            for i in range(15):
                s3.delete_object(Bucket=BUCKET, Key=f"{turn}/{i}")
            wait_for_rounds(node, 4)
        assert status(node)["device"]["used"] < 20 * MIB


def test_a_node_that_dies_during_rounds_loses_nothing(tmp_path):
    rng = random.Random(7)
    node = Node(tmp_path / "data", gc_interval=1)
    bodies = {}
    with node:
        node.client().create_bucket(Bucket=BUCKET)
        for _ in range(5):
            s3 = node.client()
            for _ in range(40):
                key = f"k{rng.randrange(20)}"
                if rng.random() < 0.4:
                    s3.delete_object(Bucket=BUCKET, Key=key)
                    bodies.pop(key, None)
                else:
                    # Few contents: most chunks are shared, go and come back.
                    body = random.Random(rng.randrange(12)).randbytes(200 * KIB)
                    s3.put_object(Bucket=BUCKET, Key=key, Body=body)
                    bodies[key] = body
                node.ended_within(0.02)
            node.kill()
            node.start()
            s3 = node.client()
            for key, body in bodies.items():
                assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
        wait_for_rounds(node, 4)
        for key, body in bodies.items():
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == body
        distinct = {body for body in bodies.values()}
        assert status(node)["device"]["chunks"] == len(distinct)
