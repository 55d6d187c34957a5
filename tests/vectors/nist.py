#!/usr/bin/env python3
"""Writes vectors of the package cryptography-vectors (NIST CAVP, RFC 4231, RFC 5869) into the file named by
the argument, in the line format of README.md."""

import sys
from pathlib import Path

import cryptography_vectors

ROOT = Path(cryptography_vectors.__file__).parent


def cases(name, first):
    """Cases of `Key = value` lines, each opened by the key `first`; a line in brackets holds after it."""
    common, case = {}, {}
    for text in (ROOT / name).read_text().splitlines():
        key, _, value = (part.strip() for part in text.strip("[]").partition("="))
        key = key.lower()
        if not key or key.startswith("#"):
            continue
        if (key == first or text.startswith("[")) and case:
            yield common | case
            case = {}
        (common if text.startswith("[") else case)[key] = value
    yield common | case


def line(kind, verdict, *fields):
    return " ".join([kind, verdict, *(field.lower() or "-" for field in fields)])


def aes_gcm():
    for name in ("gcmEncryptExtIV256.rsp", "gcmDecrypt256.rsp"):
        for case in cases(f"ciphers/AES/GCM/{name}", "count"):
            if (case["ivlen"], case["taglen"]) != ("96", "128"):
                continue
            verdict = "invalid" if "fail" in case else "valid"
            fields = (case[key] for key in ("key", "iv", "aad"))
            yield line("aes-256-gcm", verdict, *fields, case.get("pt", ""), case["ct"], case["tag"])


def hkdf():
    for name in ("rfc-5869-HKDF-SHA256.txt", "hkdf-generated.txt"):
        for case in cases(f"KDF/{name}", "count"):
            yield line("hkdf-sha256", "valid", *(case[key] for key in ("ikm", "salt", "info", "okm")))


def hmac():
    for case in cases("HMAC/rfc-4231-sha256.txt", "len"):
        yield line("hmac-sha256", "valid", case["key"], case["msg"], case["md"])


def sha256():
    for name in ("SHA256ShortMsg.rsp", "SHA256LongMsg.rsp"):
        for case in cases(f"hashes/SHA2/{name}", "len"):
            yield line("sha256", "valid", case["msg"] if case["len"] != "0" else "", case["md"])


def main():
    lines = [*aes_gcm(), *hkdf(), *hmac(), *sha256()]
    Path(sys.argv[1]).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
