"""The newest version is asked of one address, by a request that carries nothing, and only believed if it is one."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ml import __version__
from ml.errors import DataUnavailable
from ml.system import updates


class Server(BaseHTTPRequestHandler):
    """Answers with `body`, and keeps what was asked."""

    body = b""
    status = 200
    requests: list[tuple[str, str, dict[str, str]]]

    def do_GET(self) -> None:
        Server.requests.append((self.command, self.path, dict(self.headers)))
        self.send_response(self.status)
        if self.status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()
        self.wfile.write(self.body)

    do_POST = do_GET

    def log_message(self, *_: object, **__: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    Server.requests, Server.status = [], 200
    with HTTPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/noiseloom.json"
        server.shutdown()
        thread.join()


def answer(version: object) -> bytes:
    return json.dumps({"info": {"version": version}}).encode()


@pytest.mark.parametrize(
    ("version", "newer"),
    [("0.1.1", True), ("0.10.0", True), ("1", True), ("0.1.0", False), ("0.1", False), ("0.0.9", False)],
)
def test_a_newer_version_is_one_with_larger_numbers(
    address: str, monkeypatch: pytest.MonkeyPatch, version: str, newer: bool
) -> None:
    monkeypatch.setattr(updates, "__version__", "0.1.0")
    Server.body = answer(version)
    assert updates.newer_version(address) == (version if newer else "")


def test_nothing_is_sent_but_the_request(address: str) -> None:
    Server.body = answer(__version__)
    assert updates.newer_version(address) == ""
    ((method, path, headers),) = Server.requests
    assert (method, path) == ("GET", "/noiseloom.json")
    assert headers.keys() == {"Host", "User-Agent", "Accept-Encoding", "Connection"}
    assert headers["User-Agent"] == "noiseloom"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b"{}", answer(3), answer("2.0rc1"), answer("9" * 99), b"[" * 99999]
)
def test_what_is_no_version_is_not_believed(address: str, body: bytes) -> None:
    Server.body = body
    with pytest.raises(DataUnavailable):
        updates.newer_version(address)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_no_other_address_is_asked(address: str, status: int) -> None:
    Server.body, Server.status = answer("9.0"), status
    with pytest.raises(DataUnavailable):
        updates.newer_version(address)
    assert len(Server.requests) == 1


def test_a_silent_address_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataUnavailable, match=r"127\.0\.0\.1:9"):
        updates.newer_version("http://127.0.0.1:9/")


def test_without_an_address_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(updates.ADDRESS, raising=False)
    with pytest.raises(DataUnavailable, match=r"No address .* is named\. Set NOISELOOM_UPDATES"):
        updates.newer_version()
