"""Everything a tenant said (names, keys, metadata, bytes) is searched for in every file: nothing is found."""

import os

from sparse import data_ranges

MIB = 1 << 20
SPAN = MIB


def marked(word, size):
    """Bytes that hold a searchable mark all over, and are no two blocks alike."""
    line = "".join(f"{word}-{number:08d};" for number in range(size // (len(word) + 10) + 1))
    return line.encode()[:size]


def find(folder, patterns):
    """(file, pattern) for each pattern in each file's name or content."""
    found = set()
    overlap = max(map(len, patterns))
    for path in sorted(folder.rglob("*")):
        name = os.fsencode(path.relative_to(folder))
        found |= {(str(path), pattern) for pattern in patterns if pattern in name}
        if not path.is_file():
            continue
        with open(path, "rb", buffering=0) as file:
            for begin, end in data_ranges(file.fileno()):
                for at in range(begin, end, SPAN):
                    piece = os.pread(file.fileno(), min(SPAN + overlap, end - at), at)
                    if piece.count(0) == len(piece):
                        continue
                    found |= {(str(path), pattern) for pattern in patterns if pattern in piece}
    return found


def test_the_search_finds_what_is_there(scratch):
    (scratch / "plain").write_bytes(b"\0" * 1000 + b"needle" + b"\0" * 1000)
    (scratch / "needle-in-a-name").touch()
    assert len(find(scratch, [b"needle", b"absent"])) == 2


def test_nothing_a_tenant_said_is_in_any_file(node):
    s3 = node.client()
    bucket, secret_key = "zanzibar-bucket", node.admin("key", "create")
    s3.create_bucket(Bucket=bucket)
    s3.create_bucket(Bucket="zanzibar-removed")
    s3.delete_bucket(Bucket="zanzibar-removed")
    for number, size in enumerate([100, 500, 3000, 15_000, 100_000, 5 * MIB]):
        key = f"quokka-folder/wombat-file-{number}.bin"
        s3.put_object(
            Bucket=bucket,
            Key=key,
            Body=marked("platypus", size),
            ContentType="text/x-echidna",
            Metadata={"numbat": f"bandicoot-{number}"},
        )
    s3.put_object(Bucket=bucket, Key="quokka-folder/wombat-file-0.bin", Body=marked("overwritten-dingo", 800))
    s3.put_object(Bucket=bucket, Key="kookaburra-deleted", Body=marked("platypus", 2000))
    s3.delete_object(Bucket=bucket, Key="kookaburra-deleted")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="cassowary-upload")["UploadId"]
    s3.upload_part(
        Bucket=bucket,
        Key="cassowary-upload",
        UploadId=upload,
        PartNumber=1,
        Body=marked("galah-part", 5 * MIB),
    )
    words = [
        "zanzibar",
        "quokka-folder",
        "wombat-file",
        "platypus",
        "x-echidna",
        "numbat",
        "bandicoot",
        "dingo",
        "kookaburra",
        "cassowary",
        "galah-part",
        secret_key["secret"],
    ]
    patterns = [
        form
        for word in words
        for form in (word.encode(), word.encode("utf-16-le"), word.encode().hex().encode())
    ]
    assert find(node.data, patterns) == set(), "while the node runs"
    node.stop()
    assert find(node.data, patterns) == set(), "after a graceful stop"
    node.start()
    node.kill()
    assert find(node.data, patterns) == set(), "after a crash and a recovery"
