"""kiseki-admin over the socket in the data directory."""

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
