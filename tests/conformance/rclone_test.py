"""rclone: sync both ways and its own check."""

import os
import shutil
import subprocess

import pytest

from aws_test import make_tree, same_trees


@pytest.fixture
def rclone(shared_node):
    if shutil.which("rclone") is None:
        pytest.skip("rclone is not installed")
    access_key, secret = shared_node.credential()
    environment = shared_node.client_environment() | {
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_K_TYPE": "s3",
        "RCLONE_CONFIG_K_PROVIDER": "Other",
        "RCLONE_CONFIG_K_ENDPOINT": shared_node.endpoint,
        "RCLONE_CONFIG_K_ACCESS_KEY_ID": access_key,
        "RCLONE_CONFIG_K_SECRET_ACCESS_KEY": secret,
        "RCLONE_CONFIG_K_REGION": "us-east-1",
    }

    def run(*words):
        done = subprocess.run(
            ["rclone", "--retries", "1", "--low-level-retries", "1", *map(str, words)],
            capture_output=True,
            text=True,
            timeout=600,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


def test_sync_and_check(rclone, scratch, big):
    bucket = f"rclone-{os.urandom(3).hex()}"
    there, back = scratch / "there", scratch / "back"
    make_tree(there, 2000 if big else 250)
    (there / "large").write_bytes(os.urandom(30_000_000))
    rclone("sync", there, f"k:{bucket}/tree")
    assert "0 differences found" in rclone("check", there, f"k:{bucket}/tree").stderr
    assert "0 differences found" in rclone("check", "--download", there, f"k:{bucket}/tree").stderr
    rclone("sync", f"k:{bucket}/tree", back)
    assert same_trees(there, back)
    rclone("copyto", f"k:{bucket}/tree/large", f"k:{bucket}/copied")
    rclone("moveto", f"k:{bucket}/copied", f"k:{bucket}/moved")
    assert rclone("lsf", f"k:{bucket}/").stdout.split() == ["moved", "tree/"]
    rclone("purge", f"k:{bucket}")
    assert f"{bucket}/" not in rclone("lsf", "k:").stdout
