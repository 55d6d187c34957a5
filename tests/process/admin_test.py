"""kiseki-admin over the socket in the data directory."""

import json
import subprocess

import pytest
from botocore.exceptions import ClientError

from node import ADMIN, AdminRefused, Node, clean_environment


def test_status_says_what_the_node_is(node):
    status = node.admin("status")
    assert status["ready"] is True
    assert status["s3"] == node.addresses["s3"]
    assert len(status["shards"]) == 5
    assert status["shards"][0]["first_slot"] == 0 and status["shards"][0]["last_slot"] == 0
    assert status["shards"][-1]["last_slot"] == 65535
    assert all(shard["leader"] for shard in status["shards"])
    assert status["device"]["capacity"] > 0
    assert status["key_memory"]["bytes"] > 0


def test_a_key_works_until_it_is_removed(node):
    made = node.admin("key", "create")
    s3 = node.client(credential=(made["id"], made["secret"]))
    s3.create_bucket(Bucket="mine")
    assert made["id"] in [key["id"] for key in node.admin("key", "list")]
    assert all("secret" not in key for key in node.admin("key", "list"))
    node.stop()
    node.start()
    node.client(credential=(made["id"], made["secret"])).head_bucket(Bucket="mine")
    node.admin("key", "remove", made["id"])
    assert made["id"] not in [key["id"] for key in node.admin("key", "list")]


def test_a_removed_key_is_refused_within_seconds(node):
    made = node.admin("key", "create")
    node.admin("key", "remove", made["id"])
    with pytest.raises(ClientError) as refused:
        node.client(credential=(made["id"], made["secret"])).list_buckets()
    assert refused.value.response["Error"]["Code"] == "InvalidAccessKeyId"


def refused(call, **arguments):
    with pytest.raises(ClientError) as error:
        call(**arguments)
    return error.value.response["Error"]["Code"]


def policy_file(scratch, action, resource):
    path = scratch / "policy.json"
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    path.write_text(json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    return path


def test_users_may_what_their_policies_and_groups_allow(node, scratch):
    root = node.client()
    root.create_bucket(Bucket="data")
    root.put_object(Bucket="data", Key="a/1", Body=b"x")
    node.admin("policy", "create", "reads", policy_file(scratch, "s3:GetObject", "arn:aws:s3:::data/a/*"))
    node.admin("user", "create", "alice")
    node.admin("group", "create", "readers")
    made = node.admin("key", "create", "--user", "alice")
    alice = node.client(credential=(made["id"], made["secret"]))
    assert refused(alice.get_object, Bucket="data", Key="a/1") == "AccessDenied"
    node.admin("group", "attach", "readers", "reads")
    node.admin("group", "add", "readers", "alice")
    node.stop()
    node.start()
    alice = node.client(credential=(made["id"], made["secret"]))
    assert alice.get_object(Bucket="data", Key="a/1")["Body"].read() == b"x"
    assert refused(alice.put_object, Bucket="data", Key="a/2", Body=b"") == "AccessDenied"
    assert refused(alice.list_buckets) == "AccessDenied"
    with pytest.raises(AdminRefused, match="not_empty"):
        node.admin("policy", "remove", "reads")
    with pytest.raises(AdminRefused, match="not_empty"):
        node.admin("user", "remove", "alice")
    [user] = node.admin("user", "list")
    assert user["groups"] == ["readers"] and user["keys"] == [made["id"]]


def test_keys_are_limited_disabled_and_expire(node):
    root = node.client()
    root.create_bucket(Bucket="data")
    root.create_bucket(Bucket="other")
    root.put_object(Bucket="data", Key="a/1", Body=b"x")
    made = node.admin("key", "create", "--limit", "ro:data/a/")
    reader = node.client(credential=(made["id"], made["secret"]))
    assert reader.get_object(Bucket="data", Key="a/1")["Body"].read() == b"x"
    assert reader.list_objects_v2(Bucket="data", Prefix="a/")["KeyCount"] == 1
    assert refused(reader.list_objects_v2, Bucket="data") == "AccessDenied"
    assert refused(reader.delete_object, Bucket="data", Key="a/1") == "AccessDenied"
    assert refused(reader.list_objects_v2, Bucket="other", Prefix="a/") == "AccessDenied"
    node.admin("key", "disable", made["id"])
    made = node.admin("key", "create")
    node.admin("key", "disable", made["id"])
    assert refused(node.client(credential=(made["id"], made["secret"])).list_buckets) == "InvalidAccessKeyId"
    node.admin("key", "enable", made["id"])
    node.client(credential=(made["id"], made["secret"])).list_buckets()
    with pytest.raises(AdminRefused, match="invalid_argument"):
        node.admin("key", "create", "--limit", "data/*")


def test_buckets(node):
    made = node.admin("bucket", "create", "from-admin")
    assert made["name"] == "from-admin"
    node.client().put_object(Bucket="from-admin", Key="k", Body=b"x")
    assert [bucket["name"] for bucket in node.admin("bucket", "list")] == ["from-admin"]
    with pytest.raises(AdminRefused, match="not_empty"):
        node.admin("bucket", "remove", "from-admin")
    node.client().delete_object(Bucket="from-admin", Key="k")
    node.admin("bucket", "remove", "from-admin")
    assert node.admin("bucket", "list") == []
    with pytest.raises(AdminRefused, match="invalid_argument"):
        node.admin("bucket", "create", "Not_A_Bucket")


def test_a_data_directory_with_a_long_name_has_a_socket_too(scratch):
    (scratch / ("d" * 120)).mkdir()
    with Node(scratch / ("d" * 120) / ("e" * 120)) as node:
        assert node.admin("status")["ready"] is True


def test_without_a_node_the_answer_is_one_sentence(scratch):
    done = subprocess.run(
        [ADMIN, "--data", scratch, "status"],
        capture_output=True,
        text=True,
        env=clean_environment(),
        timeout=10,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("kiseki-admin: ") and done.stderr.count("\n") == 1


def test_a_wrong_command_line_is_one_sentence():
    done = subprocess.run(
        [ADMIN, "key", "forge"], capture_output=True, text=True, env=clean_environment(), timeout=10
    )
    assert done.returncode == 2
    assert done.stderr.startswith("kiseki-admin: ") and done.stderr.count("\n") == 1
