"""Who calls the API, and what exists on the server: see description_test.go."""

import atexit
import base64
import collections
import datetime
import hashlib
import json
import os
import pathlib
import time
import zlib

import requests
import schemathesis
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

EXISTING = json.loads(os.environ["BLOSSOMTUNE_EXISTING"])
statuses = collections.Counter()


class Caller:
    """Adds who calls to a copy of each request as it is sent: no session or signature is in a printed command."""

    def __init__(self) -> None:
        self.calls = 0
        self.last = 0
        self.session = os.environ.get("BLOSSOMTUNE_SESSION")
        key = os.environ.get("BLOSSOMTUNE_KEY")
        self.key = serialization.load_pem_private_key(pathlib.Path(key).read_bytes(), None) if key else None

    def sent(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request = request.copy()
        self.calls += 1
        # Each call has its own address: limits by address are not what is tested.
        request.headers["X-Forwarded-For"] = f"10.{self.calls >> 16 & 255}.{self.calls >> 8 & 255}.{self.calls & 255}"
        if self.session:
            request.headers["Cookie"] = f"blossomtune_session={self.session}"
        if self.key:
            request.headers.update(self.signature(request))
        return request

    def signature(self, request: requests.PreparedRequest) -> dict[str, str]:
        self.last = max(self.last + 1, time.time_ns() // 1000)  # each time counts once
        at = datetime.datetime.fromtimestamp(self.last / 1e6, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
        body = request.body or b""
        body = hashlib.sha256(body.encode() if isinstance(body, str) else body).hexdigest()
        text = f"blossomtune-call-1\n{request.method}\n{request.path_url}\n{at}\n{body}\n"
        public = self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        signature = self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        return {
            "Blossomtune-Key": base64.b64encode(public).decode(),
            "Blossomtune-Time": at,
            "Blossomtune-Signature": base64.b64encode(signature).decode(),
        }


caller, send = Caller(), requests.adapters.HTTPAdapter.send


def send_as_caller(adapter, request, *args, **kwargs):
    response = send(adapter, caller.sent(request), *args, **kwargs)
    response.request = request
    return response


requests.adapters.HTTPAdapter.send = send_as_caller


def exists(name: str, value: object) -> bool:
    """Choose two of three values, by the values themselves, to be replaced by what exists."""
    return name in EXISTING and zlib.crc32(f"{name}{value!r}".encode(errors="replace")) % 3 > 0


def with_existing(values: dict) -> dict:
    return {name: EXISTING[name] if exists(name, value) else value for name, value in values.items()}


@schemathesis.hook
def before_call(ctx, case, kwargs) -> None:
    if case.path_parameters:
        case.path_parameters = with_existing(case.path_parameters)
    if case.query:
        case.query = with_existing(case.query)
    if isinstance(case.body, dict):
        case.body = with_existing(case.body)


@schemathesis.hook
def after_call(ctx, case, response) -> None:
    statuses[response.status_code] += 1


@atexit.register
def report() -> None:
    pathlib.Path(os.environ["BLOSSOMTUNE_STATUSES"]).write_text(json.dumps(statuses))
