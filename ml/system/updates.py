"""The newest version, as one address names it."""

import json
import os
import re
import urllib.request
from http.client import HTTPException

from ml import __version__
from ml.errors import DataUnavailable

ADDRESS = "NOISELOOM_UPDATES"  # the variable that names it; who publishes the program knows where the next one will be
LIMIT = 10_000_000  # bytes of an answer
TIMEOUT_S = 15.0
VERSION = re.compile(r"\d{1,9}(\.\d{1,9}){0,5}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Asks no other address than the one."""

    def redirect_request(self, *_: object, **__: object) -> None:
        return None


def newer_version(address: str = "") -> str:
    """The released version if it is newer than this one, else ""; raises DataUnavailable.

    The address answers as a package index does, with {"info": {"version": ...}}. Nothing is sent but the request: no
    version, no identifier, no cookie.
    """
    address = address or os.environ.get(ADDRESS, "")
    if not address:
        raise DataUnavailable("No address that knows the newest version is named.", f"Set {ADDRESS} to one.")
    request = urllib.request.Request(address, headers={"User-Agent": "noiseloom"})
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_S) as answer:
            version = json.loads(answer.read(LIMIT))["info"]["version"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError) as error:
        raise DataUnavailable(f"{address} does not say which version is the newest.", "Try again later.") from error
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        raise DataUnavailable(f"{address} names no version.", "Try again later.")
    return version if _numbers(version) > _numbers(__version__) else ""


def _numbers(version: str) -> list[int]:
    """The numbers of a version, without zeros at the end: 1.0 is 1."""
    numbers = [int(part) for part in re.findall(r"\d+", version)]
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return numbers
