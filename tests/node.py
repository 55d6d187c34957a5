"""A real node on loopback, for the tests that need one."""

import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import boto3
import botocore.config

ROOT = Path(__file__).resolve().parents[1]
BINARIES = Path(os.environ.get("KISEKI_BIN", ROOT / "build" / "release" / "bin"))
SERVER = BINARIES / "kiseki-server"
ADMIN = BINARIES / "kiseki-admin"


def clean_environment(**more):
    """Without what would change how a node or a client is configured."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("KISEKI_", "AWS_", "RCLONE_"))
    }
    return kept | {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null"} | more


class StartFailed(Exception):
    def __init__(self, code, errors):
        super().__init__(f"exit code {code}: {errors}")
        self.code = code
        self.errors = errors


class Node:
    """`with Node(data) as node:` starts, and ends it at the end; it can be killed and started again."""

    def __init__(self, data, device_capacity="2GiB", prefix=(), environment=None, **flags):
        self.data = Path(data)
        self.prefix = list(prefix)
        self.environment = environment or {}
        self.flags = {"device_capacity": device_capacity, "s3": "127.0.0.1:0", "admin": "127.0.0.1:0"} | flags
        self.process = None
        self.starts = 0
        self.output = ""

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def port_file(self):
        return self.data.with_name(self.data.name + ".ports")

    @property
    def log_file(self):
        return self.data.with_name(f"{self.data.name}.{self.starts}.log")

    def command(self):
        flags = [f"--{name.replace('_', '-')}={value}" for name, value in self.flags.items()]
        return (
            self.prefix
            + [str(SERVER), "serve", f"--data={self.data}", f"--port-file={self.port_file}"]
            + flags
        )

    def start(self, limit=60.0):
        """Returns when the node serves. Raises StartFailed when it ends instead."""
        self.port_file.unlink(missing_ok=True)
        self.starts += 1
        began = time.monotonic()
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen(
                self.command(), stdout=log, stderr=log, env=clean_environment(**self.environment)
            )
        while not self.port_file.exists():
            if self.ended_within(0.01):
                code, self.process = self.process.returncode, None
                raise StartFailed(code, self.log_text())
            if time.monotonic() - began > limit:
                raise TimeoutError(f"no node after {limit} s: {self.log_text()}")
        self.start_seconds = time.monotonic() - began
        self.addresses = dict(line.split() for line in self.port_file.read_text().splitlines())
        return self

    def ended_within(self, seconds):
        try:
            self.process.wait(timeout=seconds)
            return True
        except subprocess.TimeoutExpired:
            return False

    def log_text(self):
        return self.log_file.read_text(errors="replace")

    def stop(self):
        """Gracefully; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        self.process = None
        return code

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    @property
    def endpoint(self):
        return f"http://{self.addresses['s3']}"

    def credential(self):
        if "KISEKI_ROOT_ACCESS_KEY" in self.environment:
            return self.environment["KISEKI_ROOT_ACCESS_KEY"], self.environment["KISEKI_ROOT_SECRET_KEY"]
        text = (self.data / "root-credential").read_text()
        return tuple(
            re.search(f"^export {name}=(.*)$", text, re.M).group(1)
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        )

    def client_environment(self):
        access_key, secret = self.credential()
        return clean_environment(
            AWS_ACCESS_KEY_ID=access_key,
            AWS_SECRET_ACCESS_KEY=secret,
            AWS_DEFAULT_REGION="us-east-1",
            AWS_REGION="us-east-1",
        )

    def client(self, credential=None, **config):
        """boto3, with no retries that would hide a failure."""
        access_key, secret = credential or self.credential()
        settings = {
            "retries": {"total_max_attempts": 1},
            "s3": {"addressing_style": "path"},
            "connect_timeout": 10,
            "read_timeout": 120,
            "max_pool_connections": 32,
        } | config
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=access_key,
            aws_secret_access_key=secret,
            config=botocore.config.Config(**settings),
        )

    def probe(self, path):
        """Status and body of the admin port."""
        try:
            with urllib.request.urlopen(f"http://{self.addresses['admin']}{path}", timeout=10) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def admin(self, *words):
        """The JSON that kiseki-admin prints."""
        done = subprocess.run(
            [ADMIN, "--data", self.data, *words],
            capture_output=True,
            text=True,
            timeout=120,
            env=clean_environment(),
        )
        if done.returncode != 0:
            raise AdminRefused(done.returncode, done.stderr)
        return json.loads(done.stdout)


class AdminRefused(Exception):
    pass
