"""Downloads from servers that lie, dawdle, send something else, or send one elsewhere."""

import hashlib
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ml.cancellation import POLL_S, Cancelled, cancellable
from ml.control import RunControl
from ml.errors import DataUnavailable
from ml.system import download
from tests.patience import WAIT_S
from tests.support.bad_server import CONTENT, Site

SUM = hashlib.sha256(CONTENT).hexdigest()


def fetch(url: str, path: Path, checksum: str = SUM, timeout_s: float = WAIT_S) -> None:
    list(download.fetch([url], path, checksum=checksum, pause_s=0, timeout_s=timeout_s))


def test_another_file_of_the_same_length_is_not_kept(site: Site, tmp_path: Path) -> None:
    site.files["file.gz"] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(DataUnavailable, match="wrong checksum"):
        fetch(site.url + "file.gz", tmp_path / "file.gz")
    assert not list(tmp_path.iterdir())


def test_a_server_that_announces_more_than_it_sends_is_given_up(site: Site, tmp_path: Path) -> None:
    site.files["file.gz"], site.lie = CONTENT[:1000], 500
    with pytest.raises(DataUnavailable, match=r"broke after 1000 of 1500 bytes|did not fit"):
        fetch(site.url + "file.gz", tmp_path / "file.gz")
    assert not (tmp_path / "file.gz").exists()


def test_a_server_that_announces_less_than_it_sends_gives_a_wrong_file_that_is_not_kept(
    site: Site, tmp_path: Path
) -> None:
    site.lie = -1000
    with pytest.raises(DataUnavailable, match=r"wrong checksum|did not fit"):
        fetch(site.url + "file.gz", tmp_path / "file.gz")
    assert not (tmp_path / "file.gz").exists()


@pytest.mark.parametrize("where", ["before it answers", "in the middle"])
def test_a_stalled_download_is_resumed(site: Site, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server would block it until the time-out, which the test would notice."""
    site.silent, site.stalls, site.break_after = where == "before it answers", True, [100_000]
    control, path = RunControl(), tmp_path / "file.gz"
    site.when_silent = control.cancel
    monkeypatch.setattr(download, "TRIES", 1)
    opened, real = list[HTTPResponse](), download._open

    def open_it(*arguments: Any) -> HTTPResponse:
        opened.append(real(*arguments))
        return opened[-1]

    monkeypatch.setattr(download, "_open", open_it)
    with cancellable(control), pytest.raises(Cancelled):
        for progress in download.fetch([site.url + "file.gz"], path, checksum=SUM, timeout_s=WAIT_S / 4):
            if progress.done == 100_000:
                control.cancel()
    assert not path.exists() and (site.silent or (tmp_path / "file.gz.part").stat().st_size == 100_000)
    assert not any(answer.isclosed() for answer in opened)  # to close it would be to wait for it
    site.silent = site.stalls = False
    site.break_after.clear()
    fetch(site.url + "file.gz", path)
    assert path.read_bytes() == CONTENT
    assert site.requests == [None, None if where == "before it answers" else "bytes=100000-"]


def test_the_wait_before_another_try_is_left_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    control, slept = RunControl(), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        control.cancel()

    monkeypatch.setattr("ml.cancellation.time", SimpleNamespace(monotonic=lambda: 100.0, sleep=sleep))
    with cancellable(control), pytest.raises(Cancelled):
        list(download.fetch(["http://127.0.0.1:1/x"], tmp_path / "x", checksum=SUM, pause_s=3600))
    assert slept == [POLL_S]


def test_the_pause_grows_from_try_to_try(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr("ml.system.download.interruptible_sleep", slept.append)
    with pytest.raises(DataUnavailable, match="Connection refused"):
        list(download.fetch(["http://127.0.0.1:1/x"], tmp_path / "x", checksum=SUM, pause_s=5))
    assert slept == [0, 5, 10]


def test_a_server_that_sends_a_byte_now_and_then_is_given_up(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = (k * WAIT_S / 10 for k in range(100))
    monkeypatch.setattr("ml.system.download.time", SimpleNamespace(monotonic=lambda: next(now)))
    site.drip = 0.001
    with pytest.raises(DataUnavailable, match="next to nothing"):
        fetch(site.url + "file.gz", tmp_path / "file.gz")
    assert len(site.requests) == 3


def test_a_slow_but_steady_download_is_not_cancelled(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of it takes many times the time-out, between two looks more than the least arrives."""
    now = (0.6 * k * WAIT_S for k in range(1000))
    monkeypatch.setattr("ml.system.download.time", SimpleNamespace(monotonic=lambda: next(now)))
    monkeypatch.setattr(download, "LEAST_RATE", 0.5 / (1.2 * WAIT_S))
    fetch(site.url + "file.gz", tmp_path / "file.gz")
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


@pytest.mark.parametrize("elsewhere", ["http://192.0.2.1/file.gz", "file:///etc/hostname", "ftp://192.0.2.1/x"])
def test_a_redirection_to_where_it_is_not_safe_is_not_followed(site: Site, tmp_path: Path, elsewhere: str) -> None:
    site.redirect = elsewhere
    with pytest.raises(DataUnavailable, match=f"{elsewhere.partition(':')[0]}:// is not safe|not allowed"):
        fetch(site.url + "file.gz", tmp_path / "file.gz")
    assert not list(tmp_path.iterdir())


def test_only_https_addresses_are_opened(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"http:// is not safe"):
        fetch("http://192.0.2.1/file.gz", tmp_path / "file.gz")


def test_a_file_without_a_known_checksum_is_refused(site: Site, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match="names no checksum"):
        fetch(site.url + "file.gz", tmp_path / "file.gz", checksum="")
    site.tags["file.gz"] = SUM
    fetch(site.url + "file.gz", tmp_path / "file.gz", checksum="")
    assert (tmp_path / "file.gz").read_bytes() == CONTENT


@pytest.fixture
def self_signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with a certificate of no trusted authority."""
    if not shutil.which("openssl"):
        pytest.skip("openssl, which makes the certificate, is not there")
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda request, client_address: None  # the handshake, which the other side breaks off
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}/file.gz"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_untrusted_certificate_is_refused(self_signed: str, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match=r"(?i)certificate"):
        fetch(self_signed, tmp_path / "file.gz")
    assert not list(tmp_path.iterdir())
