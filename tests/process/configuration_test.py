"""Where settings come from, and that the page about them is the program's own."""

import re
import shutil
import subprocess

import pytest

from node import ROOT, SERVER, Node, clean_environment


def test_the_reference_page_is_what_the_program_prints():
    printed = subprocess.run([SERVER, "config-reference"], capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "configuration.md").read_text() == printed.stdout


def test_version_and_help():
    version = subprocess.run([SERVER, "version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("kiseki-server 0.")
    text = subprocess.run([SERVER, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    assert "--data" in text and "KISEKI_S3_LISTEN" in text


def test_help_lists_every_row_of_the_page():
    text = subprocess.run([SERVER, "serve", "--help"], capture_output=True, text=True, check=True).stdout
    page = (ROOT / "docs" / "configuration.md").read_text()
    rows = re.findall(r"^\| `[a-z0-9_.]+` \| `(KISEKI_[A-Z0-9_]+)` \| `(--[a-z0-9-]+) ", page, re.M)
    assert len(rows) > 10
    assert [row for row in rows if row[0] not in text or row[1] not in text] == []


def without_locked_memory(scratch, policy):
    """A node that may lock no memory, asked what it does then."""
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("no setpriv here: it takes the right to lock memory away")
    limits = ["timeout", "10", "prlimit", "--memlock=0", setpriv, "--bounding-set=-ipc_lock"]
    flags = ["--s3", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--keys-unlocked", policy]
    command = [*limits, SERVER, "serve", "--data", scratch / policy, *flags]
    return subprocess.run(command, capture_output=True, text=True, env=clean_environment())


def test_keys_that_cannot_be_locked_are_warned_of_loudly_or_refused(scratch):
    warned = without_locked_memory(scratch, "warn")
    assert "KEYS ARE NOT LOCKED IN MEMORY" in warned.stderr and "serves" in warned.stdout
    refused = without_locked_memory(scratch, "refuse")
    assert refused.returncode == 1 and "raise RLIMIT_MEMLOCK" in refused.stderr


def test_a_flag_wins_over_the_environment_and_that_over_the_file(scratch):
    file = scratch / "kiseki.toml"
    file.write_text(
        'cores = 1\nlog = { level = "error" }\n\n[s3]\nlisten = "127.0.0.1:1"\nregion = "file-1"\n\n'
        '[admin]\nlisten = "127.0.0.1:2"\n'
    )
    environment = {"KISEKI_S3_LISTEN": "127.0.0.1:3", "KISEKI_S3_REGION": "environment-1"}
    with Node(scratch / "data", environment=environment, config=file) as node:
        assert "region environment-1" in node.log_text()
        assert node.addresses["s3"].split(":")[1] not in ("1", "3")
        assert node.admin("status")["cores"] == 1


def test_every_way_to_reach_the_disk_works(scratch):
    for mode in ("threads", "auto"):
        with Node(scratch / mode, disk_io=mode) as node:
            s3 = node.client()
            s3.create_bucket(Bucket="bucket")
            s3.put_object(Bucket="bucket", Key="k", Body=b"x" * 1_000_000)
            assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"x" * 1_000_000


def test_a_network_address_without_tls_is_warned_of_loudly(scratch):
    with Node(scratch / "data", s3="0.0.0.0:0") as node:
        assert "WITHOUT TLS" in node.log_text()


def test_keys_kept_elsewhere(scratch):
    with Node(scratch / "data", key_file=scratch / "elsewhere") as node:
        assert not (node.data / "keys").exists()
        assert "takes the keys too" not in node.log_text()
        node.client().create_bucket(Bucket="bucket")
        node.stop()
        node.start()
        node.client().head_bucket(Bucket="bucket")
