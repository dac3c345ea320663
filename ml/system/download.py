"""The download of one file by HTTPS: checksum, time-outs, retries and resuming; the file is written atomically."""

import hashlib
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from ml.cancellation import Cancelled, interruptible_sleep, run_interruptibly
from ml.errors import CannotWrite, DataUnavailable
from ml.events import Progress
from ml.system.files import atomic, make_folder

ANOTHER_WAY = "Choose a folder that has it, or take the synthetic digits."
CHUNK = 2**16
TRIES = 3
SHA256_DIGITS = 64
LEAST_RATE = 1000  # bytes per second, below which a transfer is cancelled
HERE = ("127.0.0.1", "::1", "localhost")  # local hosts, which have no certificates


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects only to addresses that `_check_address` accepts."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        try:
            _check_address(newurl)
        except _BrokenError:
            fp.close()
            raise
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _BrokenError(Exception):
    """A transfer that failed; `final` where trying the same address again cannot help."""

    def __init__(self, reason: str, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


def fetch(
    urls: Sequence[str],
    path: Path,
    *,
    checksum: str,
    limit: int = 2**28,
    timeout_s: float = 15.0,
    pause_s: float = 1.0,
    another_way: str = ANOTHER_WAY,
) -> Iterator[Progress]:
    """Download the file `path` from the first of `urls` that gives it, yielding Progress in bytes.

    `<path>.part` keeps what has arrived, and the next attempt resumes there, also after a restart. `path` appears once
    the file is whole and has that MD5 or SHA-256, or with no `checksum` the SHA-256 that the server names.
    Only https is used, with certificates checked, except for a server on this machine.
    Raises DataUnavailable with every reason, or CannotWrite.
    """
    make_folder(path.parent)
    part = path.with_name(f"{path.name}.part")
    left, reasons = list(urls), dict.fromkeys(urls, "not tried")
    for attempt in range(TRIES):
        interruptible_sleep(pause_s * attempt)
        for url in list(left):
            try:
                _check_address(url)
                expected = checksum or _promised(url, timeout_s)
                yield from _transfer(url, part, limit, timeout_s)
                _verify(part, expected)
            except _BrokenError as broken:
                reasons[url] = str(broken)
                if broken.final:
                    left.remove(url)
                continue
            with atomic(path) as temporary:
                part.replace(temporary)
            return
    tried = "; ".join(f"{url}: {reason}" for url, reason in reasons.items()) or "no address is known"
    raise DataUnavailable(
        f"Cannot download {path.name} ({tried}).",
        f"Check the network and try again, or put that file into {path.parent} yourself. {another_way}",
    )


def _transfer(url: str, part: Path, limit: int, timeout_s: float) -> Iterator[Progress]:
    """Download the rest of `part`."""
    start = part.stat().st_size if part.exists() else 0
    with _closing(_open(url, part, start, timeout_s)) as response:
        done = start if response.status == 206 else 0  # 200: the server sends everything again
        total = done + (response.length or 0)
        try:
            with part.open("ab" if done else "wb") as file:
                for chunk in _chunks(response, timeout_s):
                    done += len(chunk)
                    if max(done, total) > limit:
                        break
                    file.write(chunk)
                    yield Progress(f"Downloading {part.stem}", done, max(done, total))
        except OSError as error:
            reason = error.strerror or str(error)
            raise CannotWrite(
                f"Cannot write {part}: {reason}.", "Make room there, or choose another folder."
            ) from error
    if max(done, total) > limit:
        part.unlink()
        raise _BrokenError(f"more than the {limit} bytes expected at most", final=True)
    if done < total:
        raise _BrokenError(f"the connection broke after {done} of {total} bytes")


@contextmanager
def _closing(response: HTTPResponse) -> Iterator[HTTPResponse]:
    """Close a response at the end, but not if cancelled: a thread still reads it, and closing would wait for that."""
    try:
        yield response
    except Cancelled:
        raise
    except BaseException:
        response.close()
        raise
    response.close()


def _open(url: str, part: Path, start: int, timeout_s: float) -> HTTPResponse:
    headers = {"User-Agent": "noiseloom", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        opener = urllib.request.build_opener(_SafeRedirects)
        request = urllib.request.Request(url, headers=headers)
        return run_interruptibly(lambda: opener.open(request, timeout=timeout_s))
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:  # the part on disk is no beginning of this file
            part.unlink(missing_ok=True)
            raise _BrokenError("what was there did not fit and was deleted") from error
        raise _BrokenError(
            f"the server answers {error.code} {error.reason}", final=error.code in (401, 403, 404, 410)
        ) from error
    except (OSError, HTTPException) as error:
        raise _BrokenError(_reason(error)) from error


def _check_address(url: str) -> None:
    address = urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in HERE):
        raise _BrokenError(f"{address.scheme or 'nothing'}:// is not safe", final=True)


def _chunks(response: HTTPResponse, timeout_s: float) -> Iterator[bytes]:
    """The rest of a response; network errors become _BrokenError, so that an OSError outside concerns the file."""
    began, arrived = time.monotonic(), 0
    while True:
        if (waited := time.monotonic() - began) > timeout_s:
            if arrived < LEAST_RATE * waited:
                raise _BrokenError("the server sends next to nothing")
            began, arrived = time.monotonic(), 0
        try:
            chunk = run_interruptibly(lambda: response.read1(CHUNK))
        except (OSError, HTTPException) as error:
            raise _BrokenError(_reason(error)) from error
        if not chunk:
            return
        arrived += len(chunk)
        yield chunk


def _verify(part: Path, expected: str) -> None:
    with part.open("rb") as file:
        kind = hashlib.sha256 if len(expected) == SHA256_DIGITS else lambda: hashlib.md5(usedforsecurity=False)
        found = hashlib.file_digest(file, kind).hexdigest()
    if found != expected:
        part.unlink()
        raise _BrokenError(f"wrong checksum ({found} instead of {expected}), so the file was deleted")


def _promised(url: str, timeout_s: float) -> str:
    """The SHA-256 that a server of the Hugging Face kind gives as the file's tag."""
    request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "noiseloom"})
    opener = urllib.request.OpenerDirector()  # follows no redirect: the tag is in the first response only
    for handler in (urllib.request.ProxyHandler, urllib.request.HTTPHandler, urllib.request.HTTPSHandler):
        opener.add_handler(handler())
    try:
        with run_interruptibly(lambda: opener.open(request, timeout=timeout_s)) as answer:
            headers = answer.headers
    except (OSError, HTTPException) as error:
        raise _BrokenError(_reason(error)) from error
    tag = (headers.get("X-Linked-Etag") or "").strip('"').lower()
    if len(tag) != SHA256_DIGITS or not set(tag) <= set("0123456789abcdef"):
        raise _BrokenError("the server names no checksum, so that the file could be any", final=True)
    return tag


def _reason(error: OSError | HTTPException) -> str:
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, OSError):
        error = error.reason
    if isinstance(error, TimeoutError):
        return "the server does not answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
