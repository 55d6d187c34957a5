"""A line of JSON a request, in a file that can be moved away."""

import json
import signal
import time

from node import Node


def wait_for(node, condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline and not node.ended_within(0.02)


def lines_of(node, file, count):
    """The lines of the log, when there are so many."""
    wait_for(node, lambda: file.exists() and file.read_text().count("\n") >= count)
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_requests_are_logged_without_names_of_objects(scratch):
    file = scratch / "access.log"
    with Node(scratch / "data", access_log="file", access_log_file=file) as node:
        s3 = node.client()
        s3.create_bucket(Bucket="photos")
        s3.put_object(Bucket="photos", Key="holiday", Body=b"x" * 10_000)
        assert s3.get_object(Bucket="photos", Key="holiday")["Body"].read() == b"x" * 10_000
        made, put, got = lines_of(node, file, 3)
        names = [line["operation"] for line in (made, put, got)]
        assert names == ["CreateBucket", "PutObject", "GetObject"]
        assert put["bucket"] == "photos" and put["key"] == node.credential()[0] and put["status"] == 200
        assert (put["bytes_in"], got["bytes_out"]) == (10_000, 10_000)
        assert 0 < got["first_byte_us"] <= got["last_byte_us"]
        assert "holiday" not in file.read_text()


def test_a_hangup_opens_the_file_anew(scratch):
    file = scratch / "access.log"
    with Node(scratch / "data", access_log="file", access_log_file=file) as node:
        s3 = node.client()
        s3.create_bucket(Bucket="first")
        lines_of(node, file, 1)
        moved = file.rename(scratch / "access.log.1")
        s3.create_bucket(Bucket="second")
        lines_of(node, moved, 2)
        node.process.send_signal(signal.SIGHUP)
        wait_for(node, file.exists)
        s3.create_bucket(Bucket="third")
        assert [line["bucket"] for line in lines_of(node, file, 1)] == ["third"]
        assert node.stop() == 0


def test_standard_error_takes_it_too_and_nothing_is_the_default(scratch):
    with Node(scratch / "data", access_log="stderr") as node:
        node.client().create_bucket(Bucket="bucket")
        node.stop()
        assert '"operation":"CreateBucket"' in node.log_text()
        node.flags.pop("access_log")
        node.start()
        node.client().head_bucket(Bucket="bucket")
        node.stop()
        assert "HeadBucket" not in node.log_text() and not (node.data / "access.log").exists()
