"""Every operation goes on with the smallest memory for data that is allowed, also many at once."""

import concurrent.futures
import hashlib

from node import Node

SIZE = 9 * 2**20 + 17  # several pieces
PART = 5 * 2**20


def one_of_everything(s3, number):
    body = hashlib.sha256(str(number).encode()).digest() * (SIZE // 32 + 1)
    body = body[:SIZE]
    key = f"k{number}"
    s3.put_object(Bucket="bucket", Key=key, Body=body)
    s3.put_object(Bucket="bucket", Key=key + "/small", Body=b"small")
    assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == body
    middle = s3.get_object(Bucket="bucket", Key=key, Range="bytes=4000000-8999999")["Body"].read()
    assert middle == body[4_000_000:9_000_000]
    assert s3.head_object(Bucket="bucket", Key=key)["ContentLength"] == SIZE
    s3.copy_object(Bucket="bucket", Key=key + ".copy", CopySource=f"bucket/{key}")
    s3.copy_object(Bucket="other", Key=key, CopySource=f"bucket/{key}")
    upload = s3.create_multipart_upload(Bucket="other", Key=key + ".parts")["UploadId"]
    where = {"Bucket": "other", "Key": key + ".parts", "UploadId": upload}
    copied = s3.upload_part_copy(PartNumber=1, CopySource=f"bucket/{key}", **where)["CopyPartResult"]["ETag"]
    sent = s3.upload_part(PartNumber=2, Body=body[:PART], **where)["ETag"]
    assert len(s3.list_parts(**where)["Parts"]) == 2
    assert s3.list_multipart_uploads(Bucket="other")["Uploads"]
    parts = [{"PartNumber": 1, "ETag": copied}, {"PartNumber": 2, "ETag": sent}]
    s3.complete_multipart_upload(MultipartUpload={"Parts": parts}, **where)
    assert s3.get_object(Bucket="other", Key=key + ".parts")["Body"].read() == body + body[:PART]
    assert s3.list_objects_v2(Bucket="bucket", Prefix=key)["KeyCount"] >= 2
    s3.delete_objects(Bucket="bucket", Delete={"Objects": [{"Key": key}, {"Key": key + ".copy"}]})
    s3.delete_object(Bucket="other", Key=key)


def test_every_operation_runs_with_the_smallest_budget(scratch):
    with Node(scratch / "data", memory_payload="32MiB", cores=2) as node:
        s3 = node.client()
        s3.create_bucket(Bucket="bucket")
        s3.create_bucket(Bucket="other")
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            for done in [pool.submit(one_of_everything, s3, number) for number in range(12)]:
                done.result(timeout=100)
