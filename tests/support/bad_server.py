"""A web server on this machine that behaves as badly as a test asks."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.patience import WAIT_S

CONTENT = random.Random(0).randbytes(300_000)


@dataclass
class Site:
    """A server on this machine and how it behaves; `requests` has the Range header of each request."""

    url: str
    files: dict[str, bytes]
    break_after: list[int] = field(default_factory=list)  # bytes sent of each answer in turn before hanging up
    silent: bool = False  # it takes a request and does not answer
    when_silent: Callable[[], object] = lambda: None  # called then, once the request is there
    stalls: bool = False  # the connection stays open but silent
    ranges: bool = True
    requests: list[str | None] = field(default_factory=list)
    drip: float = 0.0  # seconds between single bytes
    tells: bool = True  # how long its answer is
    lie: int = 0  # bytes that it announces beside those that there are
    redirect: str = ""  # where it sends everyone
    tags: dict[str, str] = field(default_factory=dict)  # the checksum that it names for a file, beside a redirection


@contextmanager
def serving() -> Iterator[Site]:
    """A server that runs until the block ends, with `file.gz`."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            tag = state.tags.get(self.path[1:])
            self.send_response(302 if tag else 200)
            if tag:
                self.send_header("Location", "/elsewhere")
                self.send_header("X-Linked-Etag", f'"{tag}"')
            self.end_headers()

        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            state.requests.append(asked)
            if state.silent:
                state.when_silent()
                over.wait(2 * WAIT_S)
                return
            if state.redirect:
                self.send_response(302)
                self.send_header("Location", state.redirect)
                self.end_headers()
                return
            content = state.files.get(self.path[1:])
            if content is None:
                self.send_error(404)
                return
            start = int(asked[6:-1]) if asked and state.ranges else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if state.tells:
                self.send_header("Content-Length", str(len(content) - start + state.lie))
            self.end_headers()
            while state.drip and not over.is_set():
                self.wfile.write(content[start : start + 1])
                self.wfile.flush()
                start += 1
                over.wait(state.drip)
            stop = state.break_after.pop(0) if state.break_after else len(content)
            self.wfile.write(content[start : start + stop])
            self.wfile.flush()
            if state.stalls:
                over.wait(2 * WAIT_S)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # so that closing waits for them
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01))
    thread.start()
    state = Site(f"http://127.0.0.1:{server.server_port}/", {"file.gz": CONTENT})
    try:
        yield state
    finally:
        over.set()
        server.shutdown()
        thread.join()
        server.server_close()
