"""Clients that send and take a little now and then beside clients that work.

`--slow N` says how many, half of each kind; the figures name 1,000 (docs/status.md)."""

import concurrent.futures
import datetime
import hashlib
import hmac
import socket
import threading
import time

from node import Node

SIZE = 8 * 2**20


def signed_head(node, method, path, length):
    """A head with an unsigned payload, as it goes over the wire."""
    access_key, secret = node.credential()
    host = node.addresses["s3"]
    stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    names = "host;x-amz-content-sha256;x-amz-date"
    canonical = (
        f"{method}\n{path}\n\nhost:{host}\nx-amz-content-sha256:UNSIGNED-PAYLOAD\nx-amz-date:{stamp}\n\n"
        f"{names}\nUNSIGNED-PAYLOAD"
    )
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + secret).encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    return (
        f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nx-amz-date: {stamp}\r\n"
        f"x-amz-content-sha256: UNSIGNED-PAYLOAD\r\nContent-Length: {length}\r\n"
        f"Authorization: AWS4-HMAC-SHA256 Credential={access_key}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}\r\n\r\n"
    ).encode()


class SlowClients:
    """Half of them send 2 KiB a second of a large body, half take as much of a large object."""

    def __init__(self, node, count):
        address, port = node.addresses["s3"].rsplit(":", 1)
        self.sockets = []
        for number in range(count):
            peer = socket.socket()
            if number % 2:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect((address, int(port)))
            if number % 2:
                peer.sendall(signed_head(node, "GET", "/bucket/large", 0))
            else:
                peer.sendall(signed_head(node, "PUT", f"/bucket/slow{number}", SIZE) + b"x" * 20_000)
            peer.setblocking(False)
            self.sockets.append(peer)
        self.ending = threading.Event()
        self.thread = threading.Thread(target=self.trickle)
        self.thread.start()

    def trickle(self):
        while not self.ending.wait(1):
            for number, peer in enumerate(self.sockets):
                try:
                    peer.recv(2048) if number % 2 else peer.send(b"x" * 2048)
                except OSError:
                    pass

    def stop(self):
        self.ending.set()
        self.thread.join()
        for peer in self.sockets:
            peer.close()


def requests_in(node, seconds, size):
    """PUTs and GETs that four clients do."""
    end = time.monotonic() + seconds
    body = b"y" * size

    def work(number):
        s3, done = node.client(), 0
        while time.monotonic() < end:
            body_of_this = number.to_bytes(4) + done.to_bytes(4) + body
            s3.put_object(Bucket="bucket", Key=f"n{number}", Body=body_of_this)
            assert s3.get_object(Bucket="bucket", Key=f"n{number}")["Body"].read() == body_of_this
            done += 1
        return done

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        return sum(pool.map(work, range(4)))


def test_slow_clients_take_little_from_others(scratch, slow, big):
    seconds = 20 if big else 3
    with Node(scratch / "data", memory_payload="64MiB", device_capacity="32GiB") as node:
        s3 = node.client()
        s3.create_bucket(Bucket="bucket")
        s3.put_object(Bucket="bucket", Key="large", Body=bytes(range(256)) * (SIZE // 256))
        for size in (4_096, 2 * 2**20):
            requests_in(node, 1, size)
            alone = requests_in(node, seconds, size)
            clients = SlowClients(node, slow)
            assert not node.ended_within(2)
            beside = requests_in(node, seconds, size)
            clients.stop()
            print(f"{size} bytes: {alone} requests alone, {beside} beside {slow} slow clients")
            # By hand on an idle machine; in every run the load beside is unknown, a standstill is not.
            assert beside >= alone * (0.8 if big else 0.25)
        assert node.stop() == 0
