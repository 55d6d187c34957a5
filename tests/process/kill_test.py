"""kill -9 at random moments under load: nothing acknowledged is lost or torn, and the next start is quick."""

import random
import threading

from botocore.exceptions import BotoCoreError, ClientError

from node import Node

KIB, MIB = 1 << 10, 1 << 20
BUCKET = "crash"
WRITERS = 4
SIZES = [0, 100, 700, 5 * KIB, 17 * KIB, 70 * KIB, 300 * KIB, 5 * MIB]


def body_of(key, version, size):
    """The one content that this version of this key can have; copies keep it."""
    return random.Random(f"{key}/{version}").randbytes(size)


class Writer(threading.Thread):
    """Changes its own keys until the node dies. `certain` is what was acknowledged last; `possible` what was
    under way when the node died, beside it."""

    def __init__(self, node, number, seed):
        super().__init__()
        self.number = number
        self.rng = random.Random(seed)
        self.s3 = node.client()
        self.certain = {}  # key: (key first written, version, size), or None when deleted
        self.possible = {}  # key: the same, not acknowledged
        self.acknowledged = 0
        self.error = None
        self.version = 0

    def run(self):
        try:
            while True:
                self.step()
        except (BotoCoreError, ConnectionError):
            pass
        except ClientError as error:
            # A node that dies may still say that it is stopping; anything else is a fault.
            if error.response["ResponseMetadata"]["HTTPStatusCode"] < 500:
                self.error = error

    def random_key(self):
        return f"w{self.number}/{'ab'[self.rng.randrange(2)]}/k{self.rng.randrange(40)}"

    def step(self):
        key = self.random_key()
        self.version += 1
        kind = self.rng.random()
        size = self.rng.choice(SIZES[:-1]) if kind < 0.95 else SIZES[-1]
        fresh = (key, self.version, size)
        if kind < 0.10:
            self.change({key: None}, lambda: self.s3.delete_object(Bucket=BUCKET, Key=key))
        elif kind < 0.13:
            keys = {self.random_key() for _ in range(8)}
            listed = {"Objects": [{"Key": each} for each in keys], "Quiet": True}
            self.change(dict.fromkeys(keys), lambda: self.delete_all(listed))
        elif kind < 0.20:
            self.change({key: fresh}, lambda: self.put_in_parts(key, size))
        elif kind < 0.30 and (sources := sorted(each for each, has in self.certain.items() if has)):
            source = self.rng.choice(sources)
            if source != key:
                self.change({key: self.certain[source]}, lambda: self.copy(source, key))
        else:
            body = body_of(*fresh)
            self.change({key: fresh}, lambda: self.s3.put_object(Bucket=BUCKET, Key=key, Body=body))

    def change(self, wanted, call):
        self.possible |= wanted
        call()
        self.certain |= wanted
        for key in wanted:
            del self.possible[key]
        self.acknowledged += 1

    def delete_all(self, listed):
        answer = self.s3.delete_objects(Bucket=BUCKET, Delete=listed)
        if "Errors" in answer:
            raise ConnectionError(f"the node stopped within the request: {answer['Errors']}")

    def copy(self, source, key):
        self.s3.copy_object(Bucket=BUCKET, Key=key, CopySource={"Bucket": BUCKET, "Key": source})

    def put_in_parts(self, key, size):
        upload = self.s3.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        part = self.s3.upload_part(
            Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=1, Body=body_of(key, self.version, size)
        )
        self.s3.complete_multipart_upload(
            Bucket=BUCKET,
            Key=key,
            UploadId=upload,
            MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
        )


def read(s3, key):
    try:
        return s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    except ClientError as error:
        assert error.response["Error"]["Code"] == "NoSuchKey", (key, error)
        return None


def is_version(got, wanted):
    return got is None if wanted is None else got == body_of(*wanted)


def check(s3, certain, possible):
    """Every key is what was acknowledged last, or what was under way: whole, and listed as it is read.
    Returns what each key turned out to be."""
    listed = {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        listed |= {item["Key"]: item["Size"] for item in page.get("Contents", [])}
    state = {}
    for key in certain.keys() | possible.keys():
        got = read(s3, key)
        choices = [certain.get(key)] + ([possible[key]] if key in possible else [])
        matching = [choice for choice in choices if is_version(got, choice)]
        assert matching, f"{key}: {None if got is None else len(got)} bytes are none of {choices}"
        assert listed.get(key) == (None if got is None else len(got)), key
        state[key] = matching[0]
    assert listed.keys() <= state.keys()
    return {key: version for key, version in state.items() if version is not None}


def test_nothing_acknowledged_is_lost(scratch, rounds, rng):
    certain, versions, acknowledged, slowest = {}, 0, 0, 0.0
    with Node(scratch / "data", device_capacity="8GiB", gc_interval=1) as node:
        node.client().create_bucket(Bucket=BUCKET)
        for number in range(rounds):
            writers = [Writer(node, writer, rng.randrange(2**32)) for writer in range(WRITERS)]
            for writer in writers:
                writer.version = versions
                writer.start()
            assert not node.ended_within(rng.uniform(0.2, 4.0)), node.log_text()
            node.kill()
            for writer in writers:
                writer.join()
                assert writer.error is None
            possible = {}
            for writer in writers:
                certain |= writer.certain
                possible |= writer.possible
            versions = max(writer.version for writer in writers)
            acknowledged += sum(writer.acknowledged for writer in writers)
            node.start()
            slowest = max(slowest, node.start_seconds)
            certain = check(node.client(), certain, possible)
            print(f"round {number}: {acknowledged} acknowledged, start {node.start_seconds:.2f} s")
    assert acknowledged > 20 * rounds, "the load was no load"
    assert slowest < 3.0
