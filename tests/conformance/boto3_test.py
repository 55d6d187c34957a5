"""boto3, as its users use it."""

import base64
import email.header
import hashlib
import http.client
import io
import os
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from boto3.s3.transfer import TransferConfig
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture
def s3(shared_node):
    return shared_node.client()


@pytest.fixture
def bucket(s3):
    name = f"boto3-{os.urandom(4).hex()}"
    s3.create_bucket(Bucket=name)
    yield name
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=name):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=name, Key=item["Key"])
    s3.delete_bucket(Bucket=name)


def code_of(call, **arguments):
    with pytest.raises(ClientError) as refused:
        call(**arguments)
    return refused.value.response["Error"]["Code"]


def put_all(s3, bucket, keys):
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())


def test_buckets_come_and_go(s3):
    name = f"boto3-{os.urandom(4).hex()}"
    assert code_of(s3.head_bucket, Bucket=name) == "404"
    s3.create_bucket(Bucket=name)
    s3.head_bucket(Bucket=name)
    assert name in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    s3.put_object(Bucket=name, Key="k", Body=b"")
    assert code_of(s3.delete_bucket, Bucket=name) == "BucketNotEmpty"
    s3.delete_object(Bucket=name, Key="k")
    s3.delete_bucket(Bucket=name)
    assert code_of(s3.list_objects_v2, Bucket=name) == "NoSuchBucket"
    assert code_of(s3.delete_bucket, Bucket=name) == "NoSuchBucket"


def test_names_that_are_no_buckets(s3):
    assert code_of(s3.create_bucket, Bucket="Upper") == "InvalidBucketName"


def test_an_object_is_what_was_put(s3, bucket):
    body = os.urandom(100_000)
    put = s3.put_object(
        Bucket=bucket,
        Key="k",
        Body=body,
        ContentType="text/x-test",
        CacheControl="no-cache",
        ContentDisposition="inline",
        ContentEncoding="identity",
        ContentLanguage="ja",
        Metadata={"colour": "blue", "empty": ""},
    )
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    assert put["ETag"] == etag
    for got in (s3.get_object(Bucket=bucket, Key="k"), s3.head_object(Bucket=bucket, Key="k")):
        assert (got["ETag"], got["ContentLength"], got["ContentType"]) == (etag, len(body), "text/x-test")
        assert (got["CacheControl"], got["ContentDisposition"], got["ContentLanguage"]) == (
            "no-cache",
            "inline",
            "ja",
        )
        assert got["Metadata"] == {"colour": "blue", "empty": ""}
        assert abs(got["LastModified"].timestamp() - time.time()) < 60
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == body


def test_what_is_absent(s3, bucket):
    assert code_of(s3.get_object, Bucket=bucket, Key="k") == "NoSuchKey"
    assert code_of(s3.head_object, Bucket=bucket, Key="k") == "404"
    assert s3.delete_object(Bucket=bucket, Key="k")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert code_of(s3.get_object, Bucket="no-such-bucket-here", Key="k") == "NoSuchBucket"
    assert code_of(s3.put_object, Bucket="no-such-bucket-here", Key="k", Body=b"x") == "NoSuchBucket"


@pytest.mark.parametrize(
    "key",
    [
        "a/b/c",
        "a//b",
        "/lead",
        "trail/",
        "ü/日本",
        "a b+c%20d",
        "..",
        "a/../b",
        "%",
        "\\",
        "x" * 1024,
        "y" * 300 + "/" + "z" * 300,
        "a&b<c>\"'",
        "q?x=1#y",
    ],
)
def test_awkward_keys(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    s3.delete_object(Bucket=bucket, Key=key)
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket)


def test_keys_that_are_none(s3, bucket):
    for size in (1025, 8192):
        assert code_of(s3.put_object, Bucket=bucket, Key="x" * size, Body=b"") == "KeyTooLongError"


def test_an_object_and_a_directory_of_one_name(s3, bucket):
    keys = ["a", "a/", "a/b", "a-b", "a.b", "a0"]
    put_all(s3, bucket, keys)
    listed = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert listed == ["a", "a-b", "a.b", "a/", "a/b", "a0"]
    for key in keys:
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()


def test_listing_by_pages_is_in_byte_order_and_complete(s3, bucket):
    keys = sorted(f"{'dir%d/' % (n % 7) if n % 3 else ''}k{n * 7919 % 1000:03}" for n in range(250))
    put_all(s3, bucket, keys)
    for paginator in ("list_objects", "list_objects_v2"):
        pages = s3.get_paginator(paginator).paginate(Bucket=bucket, PaginationConfig={"PageSize": 17})
        assert [item["Key"] for page in pages for item in page["Contents"]] == keys
    after = s3.list_objects_v2(Bucket=bucket, StartAfter=keys[100], MaxKeys=5)
    assert [item["Key"] for item in after["Contents"]] == keys[101:106]
    assert after["IsTruncated"] and after["KeyCount"] == 5


def test_listing_by_directory(s3, bucket):
    put_all(s3, bucket, ["top", "a/1", "a/2", "a/b/3", "c/4", "a-b/5"])
    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [item["Key"] for item in top["Contents"]] == ["top"]
    assert [item["Prefix"] for item in top["CommonPrefixes"]] == ["a-b/", "a/", "c/"]
    inside = s3.list_objects_v2(Bucket=bucket, Delimiter="/", Prefix="a/")
    assert [item["Key"] for item in inside["Contents"]] == ["a/1", "a/2"]
    assert [item["Prefix"] for item in inside["CommonPrefixes"]] == ["a/b/"]
    part = s3.list_objects_v2(Bucket=bucket, Prefix="a")
    assert [item["Key"] for item in part["Contents"]] == ["a-b/5", "a/1", "a/2", "a/b/3"]
    pages = s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 1}
    )
    found = [
        name
        for page in pages
        for name in [item["Key"] for item in page.get("Contents", [])]
        + [item["Prefix"] for item in page.get("CommonPrefixes", [])]
    ]
    assert found == ["a-b/", "a/", "c/", "top"]


def test_a_prefix_goes_with_its_last_key(s3, bucket):
    put_all(s3, bucket, ["gone/deep/er/1", "stays/1"])
    s3.delete_object(Bucket=bucket, Key="gone/deep/er/1")
    listed = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    assert [item["Prefix"] for item in listed["CommonPrefixes"]] == ["stays/"]


def test_conditions(s3, bucket):
    etag = s3.put_object(Bucket=bucket, Key="k", Body=b"one", IfNoneMatch="*")["ETag"]
    assert (
        code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfNoneMatch="*") == "PreconditionFailed"
    )
    assert (
        code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"two", IfMatch='"other"') == "PreconditionFailed"
    )
    s3.put_object(Bucket=bucket, Key="k", Body=b"two", IfMatch=etag)
    assert code_of(s3.get_object, Bucket=bucket, Key="k", IfMatch=etag) == "PreconditionFailed"
    now = s3.get_object(Bucket=bucket, Key="k")
    assert now["Body"].read() == b"two"
    assert code_of(s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=now["ETag"]) == "304"
    assert code_of(s3.get_object, Bucket=bucket, Key="k", IfModifiedSince=now["LastModified"]) == "304"


def test_copies(s3, bucket):
    body = os.urandom(6 * MIB)
    s3.put_object(Bucket=bucket, Key="from", Body=body, Metadata={"a": "1"}, ContentType="text/a")
    source = {"Bucket": bucket, "Key": "from"}
    s3.copy_object(Bucket=bucket, Key="to/kept", CopySource=source)
    s3.copy_object(
        Bucket=bucket,
        Key="to/new",
        CopySource=source,
        MetadataDirective="REPLACE",
        Metadata={"b": "2"},
        ContentType="text/b",
    )
    kept, new = (s3.get_object(Bucket=bucket, Key=key) for key in ("to/kept", "to/new"))
    assert (kept["Metadata"], kept["ContentType"]) == ({"a": "1"}, "text/a")
    assert (new["Metadata"], new["ContentType"]) == ({"b": "2"}, "text/b")
    assert kept["Body"].read() == body and new["Body"].read() == body
    assert kept["ETag"] == new["ETag"] == f'"{hashlib.md5(body).hexdigest()}"'
    assert code_of(s3.copy_object, Bucket=bucket, Key="from", CopySource=source) == "InvalidRequest"
    s3.copy_object(
        Bucket=bucket, Key="from", CopySource=source, MetadataDirective="REPLACE", Metadata={"c": "3"}
    )
    assert s3.head_object(Bucket=bucket, Key="from")["Metadata"] == {"c": "3"}
    assert (
        code_of(s3.copy_object, Bucket=bucket, Key="x", CopySource=source, CopySourceIfMatch='"no"')
        == "PreconditionFailed"
    )


def test_a_copy_to_another_bucket(s3, bucket):
    other = f"{bucket}-other"
    s3.create_bucket(Bucket=other)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x" * 100_000)
    s3.copy_object(Bucket=other, Key="k", CopySource={"Bucket": bucket, "Key": "k"})
    assert s3.get_object(Bucket=other, Key="k")["Body"].read() == b"x" * 100_000
    s3.delete_object(Bucket=other, Key="k")
    s3.delete_bucket(Bucket=other)


def test_many_deletes_at_once(s3, bucket):
    put_all(s3, bucket, ["a", "b", "d/c"])
    reply = s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": key} for key in ("a", "d/c", "absent")]}
    )
    assert sorted(item["Key"] for item in reply["Deleted"]) == ["a", "absent", "d/c"]
    assert [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["b"]
    assert "Deleted" not in s3.delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "b"}], "Quiet": True}
    )


def test_multipart_by_hand(s3, bucket):
    parts = [os.urandom(5 * MIB), os.urandom(5 * MIB + 1), os.urandom(10)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", Metadata={"m": "p"})["UploadId"]
    arguments = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    s3.upload_part(**arguments, PartNumber=2, Body=b"replaced" * MIB)
    etags = [s3.upload_part(**arguments, PartNumber=n, Body=part)["ETag"] for n, part in enumerate(parts, 1)]
    assert [part["Size"] for part in s3.list_parts(**arguments)["Parts"]] == [len(part) for part in parts]
    assert [item["UploadId"] for item in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    assert code_of(s3.head_object, Bucket=bucket, Key="k") == "404"
    listing = {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]}
    done = s3.complete_multipart_upload(**arguments, MultipartUpload=listing)
    digest = hashlib.md5(b"".join(hashlib.md5(part).digest() for part in parts)).hexdigest()
    assert done["ETag"] == f'"{digest}-3"'
    got = s3.get_object(Bucket=bucket, Key="k")
    assert got["Body"].read() == b"".join(parts) and got["Metadata"] == {"m": "p"}
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_multipart_that_is_wrong_or_given_up(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    arguments = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    etags = [s3.upload_part(**arguments, PartNumber=n, Body=b"small")["ETag"] for n in (1, 2)]

    def complete(*pairs):
        parts = [{"PartNumber": n, "ETag": etag} for n, etag in pairs]
        return code_of(s3.complete_multipart_upload, **arguments, MultipartUpload={"Parts": parts})

    assert complete((1, etags[0]), (2, etags[1])) == "EntityTooSmall"
    assert complete((2, etags[1]), (1, etags[0])) == "InvalidPartOrder"
    assert complete((1, '"00000000000000000000000000000000"')) == "InvalidPart"
    assert complete((3, etags[0])) == "InvalidPart"
    s3.abort_multipart_upload(**arguments)
    assert code_of(s3.upload_part, **arguments, PartNumber=1, Body=b"x") == "NoSuchUpload"
    assert code_of(s3.list_parts, **arguments) == "NoSuchUpload"


CHECKSUMS = [
    ("CRC32", "COMPOSITE"),
    ("CRC32", "FULL_OBJECT"),
    ("CRC32C", "COMPOSITE"),
    ("CRC32C", "FULL_OBJECT"),
    ("CRC64NVME", "FULL_OBJECT"),
    ("SHA1", "COMPOSITE"),
    ("SHA256", "COMPOSITE"),
]


@pytest.mark.parametrize(("algorithm", "kind"), CHECKSUMS)
def test_checksums_of_an_upload(s3, bucket, algorithm, kind):
    field = f"Checksum{algorithm}"
    made = s3.create_multipart_upload(
        Bucket=bucket, Key="k", ChecksumAlgorithm=algorithm, ChecksumType=kind
    )
    assert (made["ChecksumAlgorithm"], made["ChecksumType"]) == (algorithm, kind)
    arguments = {"Bucket": bucket, "Key": "k", "UploadId": made["UploadId"]}
    bodies = [os.urandom(5 * MIB), b"end"]
    parts = []
    for number, body in enumerate(bodies, 1):
        sent = s3.upload_part(**arguments, PartNumber=number, Body=body, ChecksumAlgorithm=algorithm)
        parts.append({"PartNumber": number, "ETag": sent["ETag"], field: sent[field]})
    listed = s3.list_parts(**arguments)
    assert (listed["ChecksumAlgorithm"], listed["ChecksumType"]) == (algorithm, kind)
    assert [part[field] for part in listed["Parts"]] == [part[field] for part in parts]
    other = "COMPOSITE" if kind == "FULL_OBJECT" else "FULL_OBJECT"
    complete = {**arguments, "MultipartUpload": {"Parts": parts}}
    assert code_of(s3.complete_multipart_upload, **complete, ChecksumType=other) == "BadDigest"
    done = s3.complete_multipart_upload(**complete, ChecksumType=kind)
    assert done["ChecksumType"] == kind
    if kind == "FULL_OBJECT":
        s3.put_object(Bucket=bucket, Key="whole", Body=b"".join(bodies), ChecksumAlgorithm=algorithm)
        assert s3.head_object(Bucket=bucket, Key="whole", ChecksumMode="ENABLED")[field] == done[field]
    else:
        assert done[field].endswith("-2")
    for got in (
        s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED"),
        s3.get_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED"),
    ):
        assert (got[field], got["ChecksumType"]) == (done[field], kind)


def test_parts_of_another_algorithm_are_refused(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA256")["UploadId"]
    arguments = {"Bucket": bucket, "Key": "k", "UploadId": upload, "PartNumber": 1}
    assert code_of(s3.upload_part, **arguments, Body=b"x", ChecksumAlgorithm="CRC32") == "InvalidRequest"
    s3.upload_part(**arguments, Body=b"x", ChecksumAlgorithm="SHA256")


def test_part_copies_have_checksums(s3, bucket):
    s3.put_object(Bucket=bucket, Key="from", Body=b"0123456789")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", ChecksumAlgorithm="SHA1")["UploadId"]
    arguments = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    source = {"Bucket": bucket, "Key": "from"}
    copied = s3.upload_part_copy(**arguments, PartNumber=1, CopySource=source, CopySourceRange="bytes=2-5")
    result = copied["CopyPartResult"]
    assert result["ChecksumSHA1"] == base64.b64encode(hashlib.sha1(b"2345").digest()).decode()
    part = {"PartNumber": 1, "ETag": result["ETag"], "ChecksumSHA1": result["ChecksumSHA1"]}
    s3.complete_multipart_upload(**arguments, MultipartUpload={"Parts": [part]})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"2345"


def put_in_parts(s3, bucket, key, bodies):
    upload = s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
    arguments = {"Bucket": bucket, "Key": key, "UploadId": upload}
    etags = [s3.upload_part(**arguments, PartNumber=n, Body=body)["ETag"] for n, body in enumerate(bodies, 1)]
    listing = {"Parts": [{"PartNumber": n, "ETag": etag} for n, etag in enumerate(etags, 1)]}
    return s3.complete_multipart_upload(**arguments, MultipartUpload=listing)


def test_objects_are_read_by_part(s3, bucket):
    bodies = [os.urandom(5 * MIB), os.urandom(6 * MIB), b"end"]
    put_in_parts(s3, bucket, "k", bodies)
    for number, body in enumerate(bodies, 1):
        head = s3.head_object(Bucket=bucket, Key="k", PartNumber=number)
        assert (head["PartsCount"], head["ContentLength"]) == (3, len(body))
        assert s3.get_object(Bucket=bucket, Key="k", PartNumber=number)["Body"].read() == body
    assert code_of(s3.get_object, Bucket=bucket, Key="k", PartNumber=4) == "InvalidPartNumber"
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    assert s3.get_object(Bucket=bucket, Key="empty", PartNumber=1)["Body"].read() == b""


def test_a_copy_of_what_came_in_parts_is_whole(s3, bucket):
    bodies = [os.urandom(5 * MIB), b"end"]
    put_in_parts(s3, bucket, "from", bodies)
    copied = s3.copy_object(Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"})
    assert copied["CopyObjectResult"]["ETag"] == f'"{hashlib.md5(b"".join(bodies)).hexdigest()}"'
    copied = s3.copy_object(
        Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "from"}, ChecksumAlgorithm="SHA256"
    )
    digest = base64.b64encode(hashlib.sha256(b"".join(bodies)).digest()).decode()
    assert copied["CopyObjectResult"]["ChecksumSHA256"] == digest
    assert s3.head_object(Bucket=bucket, Key="to", ChecksumMode="ENABLED")["ChecksumSHA256"] == digest


def test_more_parts_than_a_page_are_listed_to_the_end(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    arguments = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: s3.upload_part(**arguments, PartNumber=n, Body=b"x"), range(1, 1101)))
    pages = list(s3.get_paginator("list_parts").paginate(**arguments))
    assert [len(page["Parts"]) for page in pages] == [1000, 100]
    assert [part["PartNumber"] for page in pages for part in page["Parts"]] == list(range(1, 1101))
    s3.abort_multipart_upload(**arguments)


def test_a_completion_on_a_condition_is_about_the_key(s3, bucket):
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    arguments = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    etag = s3.upload_part(**arguments, PartNumber=1, Body=b"x")["ETag"]
    listing = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
    complete = {**arguments, "MultipartUpload": listing}
    assert code_of(s3.complete_multipart_upload, **complete, IfMatch='"a"') == "NoSuchKey"
    s3.complete_multipart_upload(**complete, IfNoneMatch="*")


@pytest.mark.parametrize("version", [None, "s3v4"])
def test_presigned_urls(shared_node, s3, bucket, version):
    signer = shared_node.client(signature_version=version) if version else shared_node.client()
    # Version 2 signs the type of the body, and urllib sends one of its own otherwise.
    parameters = {"Bucket": bucket, "Key": "a b/ü", "ContentType": "text/plain"}
    put = signer.generate_presigned_url("put_object", Params=parameters)
    assert ("AWSAccessKeyId" in put) == (version is None)
    headers = {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(put, method="PUT", data=b"body", headers=headers))
    parameters = {"Bucket": bucket, "Key": "a b/ü", "ResponseContentType": "text/x-test"}
    get = signer.generate_presigned_url("get_object", Params=parameters)
    with urllib.request.urlopen(get) as answer:
        assert (answer.read(), answer.headers["Content-Type"]) == (b"body", "text/x-test")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(get.replace("a%20b", "a%20c"))
    assert b"<Code>SignatureDoesNotMatch</Code>" in refused.value.read()


def signed(shared_node, method, path, body=b"", fields=None):
    """A request that boto3 would not send."""
    access_key, secret = shared_node.credential()
    request = AWSRequest(method, shared_node.endpoint + path, dict(fields or {}), body)
    S3SigV4Auth(Credentials(access_key, secret), "s3", "us-east-1").add_auth(request)
    sent = urllib.request.Request(request.url, body or None, dict(request.headers), method=method)
    try:
        with urllib.request.urlopen(sent) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.headers, refused.read()


def test_deletions_need_a_digest(shared_node, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    document = b"<Delete><Object><Key>k</Key></Object></Delete>"
    status, _, answer = signed(shared_node, "POST", f"/{bucket}?delete=", document)
    assert status == 400 and b"<Code>InvalidRequest</Code>" in answer
    s3.head_object(Bucket=bucket, Key="k")


def test_parameters_that_name_no_subresource(shared_node, s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert signed(shared_node, "GET", f"/{bucket}/k?foo=1&x-id=GetObject")[2] == b"x"
    status, _, answer = signed(shared_node, "GET", f"/{bucket}/k?acl=")
    assert status == 501 and b"<Parameter>acl</Parameter>" in answer


def test_metadata_that_is_not_ascii_comes_back_mail_safe(shared_node, s3, bucket):
    fields = {"x-amz-meta-name": "é€"}
    access_key, secret = shared_node.credential()
    request = AWSRequest("PUT", f"{shared_node.endpoint}/{bucket}/k", fields, b"x")
    S3SigV4Auth(Credentials(access_key, secret), "s3", "us-east-1").add_auth(request)
    host = shared_node.endpoint.removeprefix("http://")
    connection = http.client.HTTPConnection(host)
    connection.putrequest("PUT", f"/{bucket}/k", skip_accept_encoding=True)
    for name, value in request.headers.items():
        connection.putheader(name, value.encode())
    connection.putheader("Content-Length", "1")
    connection.endheaders(b"x")
    assert connection.getresponse().status == 200
    value = s3.head_object(Bucket=bucket, Key="k")["Metadata"]["name"]
    assert value.startswith("=?UTF-8?")
    assert str(email.header.make_header(email.header.decode_header(value))) == "é€"


def test_not_modified_carries_what_caches_need(shared_node, s3, bucket):
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"x", CacheControl="max-age=9")
    status, fields, _ = signed(shared_node, "GET", f"/{bucket}/k", fields={"If-None-Match": put["ETag"]})
    assert status == 304
    assert (fields["Cache-Control"], fields["ETag"]) == ("max-age=9", put["ETag"])
    assert fields["Last-Modified"]


def test_the_transfer_library_in_parallel(s3, bucket):
    body = os.urandom(40 * MIB + 5)
    settings = TransferConfig(multipart_threshold=8 * MIB, multipart_chunksize=8 * MIB, max_concurrency=4)
    s3.upload_fileobj(io.BytesIO(body), bucket, "k", Config=settings)
    back = io.BytesIO()
    s3.download_fileobj(bucket, "k", back, Config=settings)
    assert back.getvalue() == body


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_are_verified_and_kept(s3, bucket, algorithm):
    s3.put_object(Bucket=bucket, Key="k", Body=b"checked" * 1000, ChecksumAlgorithm=algorithm)
    got = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
    assert got[f"Checksum{algorithm}"]


def test_a_wrong_digest_stores_nothing(s3, bucket):
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ContentMD5=wrong) == "BadDigest"
    wrong = base64.b64encode(hashlib.sha256(b"other").digest()).decode()
    assert code_of(s3.put_object, Bucket=bucket, Key="k", Body=b"x", ChecksumSHA256=wrong) == "BadDigest"
    assert code_of(s3.head_object, Bucket=bucket, Key="k") == "404"


def test_who_may_not(shared_node, bucket):
    access_key, secret = shared_node.credential()
    wrong = shared_node.client(credential=(access_key, secret + "x"))
    assert code_of(wrong.list_objects_v2, Bucket=bucket) == "SignatureDoesNotMatch"
    unknown = shared_node.client(credential=("KIUNKNOWNUNKNOWNUNKN", secret))
    assert code_of(unknown.list_objects_v2, Bucket=bucket) == "InvalidAccessKeyId"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{shared_node.endpoint}/{bucket}")
    assert refused.value.code == 403 and b"<Code>AccessDenied</Code>" in refused.value.read()


def test_another_region_is_answered_as_clients_expect(shared_node, bucket):
    import boto3

    access_key, secret = shared_node.credential()
    elsewhere = boto3.client(
        "s3",
        endpoint_url=shared_node.endpoint,
        region_name="eu-west-1",
        aws_access_key_id=access_key,
        aws_secret_access_key=secret,
    )
    assert code_of(elsewhere.list_buckets) == "AuthorizationHeaderMalformed"


def test_what_is_not_built_says_so(s3, bucket):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for call, arguments in [
        (s3.put_bucket_policy, {"Policy": "{}"}),
        (s3.put_object_tagging, {"Key": "k", "Tagging": {"TagSet": []}}),
        (s3.put_bucket_versioning, {"VersioningConfiguration": {"Status": "Enabled"}}),
        (s3.put_bucket_lifecycle, {"LifecycleConfiguration": {"Rules": []}}),
        (s3.get_object_acl, {"Key": "k"}),
    ]:
        assert code_of(call, Bucket=bucket, **arguments) == "NotImplemented"
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
