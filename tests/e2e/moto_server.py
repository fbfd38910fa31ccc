"""AWS Secrets Manager on a port of this machine: requests go on to moto, which answers in this process."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import boto3
import requests
from moto import mock_aws

REGION = "eu-central-1"
_MOCKED = f"https://secretsmanager.{REGION}.amazonaws.com/"
_PASSED_ON = ("authorization", "content-type", "x-amz-date", "x-amz-target", "x-amz-security-token")


@dataclass(frozen=True)
class Account:
    """A mocked account: `client` fills it, servers ask at `address`."""

    address: str
    client: Any

    @property
    def environ(self) -> dict[str, str]:
        """What a program needs to ask it."""
        return {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": self.address,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() in _PASSED_ON}
        answer = requests.post(_MOCKED, data=body, headers=headers, timeout=10)
        self.send_response(answer.status_code)
        self.send_header("content-type", "application/x-amz-json-1.1")
        self.send_header("content-length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass


@contextlib.contextmanager
def running(monkeypatch: Any) -> Iterator[Account]:
    """An account behind a port that the system chooses."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws(), ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield Account(f"http://127.0.0.1:{server.server_address[1]}", boto3.client("secretsmanager", region_name=REGION))
        finally:
            server.shutdown()
            thread.join()
