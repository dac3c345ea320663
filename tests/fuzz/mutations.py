"""Valid files made wrong: bits, lengths, numbers, splices, cuts, nesting. Where to cut is asked of a fuzzer."""

import random
import re
import struct
import zlib
from collections.abc import Callable, Sequence

from hypothesis import strategies as st

Choose = Callable[[int, int], int]  # a whole number from the first to the second
MOST_BYTES = 400_000  # of a mutated file
SIZES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**64 - 1)
NUMBERS = (b"0", b"-1", b"1e999", b"NaN", b"null", b"9" * 400, b"2147483648", b"0.5", b'"x"', b"[]", b"{}", b"true")
NESTED = (b"[", b'{"a":', b"(", b"<a>", b'{"parent":{"labels":[1],"parent":')
_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
_WORD = re.compile(rb'"[^"]{0,80}"')


def mutated(seeds: Sequence[bytes], choose: Choose) -> bytes:
    """One of the files with one to four things wrong."""
    content = seeds[choose(0, len(seeds) - 1)]
    for _ in range(choose(1, 4)):
        content = CHANGES[choose(0, len(CHANGES) - 1)](content, seeds, choose)[:MOST_BYTES]
    return content


@st.composite
def files(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """Mutated files as hypothesis draws and shrinks them."""
    return mutated(seeds, lambda low, high: draw(st.integers(low, high)))


def _flip(content: bytes, _: Sequence[bytes], choose: Choose) -> bytes:
    if not content:
        return content
    at = choose(0, len(content) - 1)
    return content[:at] + bytes([content[at] ^ 1 << choose(0, 7)]) + content[at + 1 :]


def _cut(content: bytes, _: Sequence[bytes], choose: Choose) -> bytes:
    return content[: choose(0, len(content))]


def _drop(content: bytes, _: Sequence[bytes], choose: Choose) -> bytes:
    at = choose(0, len(content))
    return content[:at] + content[at + choose(0, 64) :]


def _splice(content: bytes, seeds: Sequence[bytes], choose: Choose) -> bytes:
    other = seeds[choose(0, len(seeds) - 1)]
    at, start = choose(0, len(content)), choose(0, len(other))
    return content[:at] + other[start : start + choose(0, 4000)] + content[at + choose(0, 4000) :]


def _repeat(content: bytes, _: Sequence[bytes], choose: Choose) -> bytes:
    at = choose(0, len(content))
    return content[:at] + content[at : at + choose(1, 200)] * choose(2, 500) + content[at:]


def _length(content: bytes, _: Sequence[bytes], choose: Choose) -> bytes:
    """A number of 2, 4 or 8 bytes, either end first, as an edge case of lengths."""
    at, width = choose(0, len(content)), (2, 4, 8)[choose(0, 2)]
    value = SIZES[choose(0, len(SIZES) - 1)] % 2 ** (8 * width)
    return content[:at] + value.to_bytes(width, ("little", "big")[choose(0, 1)]) + content[at + width :]


def _number(content: bytes, _: Sequence[bytes], choose: Choose) -> bytes:
    """A number that is written out, as another or as something else."""
    return _replaced(content, _NUMBER, NUMBERS, choose)


def _word(content: bytes, _: Sequence[bytes], choose: Choose) -> bytes:
    """A word in quotation marks, as another one of the same file."""
    words = _WORD.findall(content[:20_000])
    return _replaced(content, _WORD, [*words, b'"' + b"x" * 5000 + b'"', b'"\\ud800"'], choose) if words else content


def _replaced(content: bytes, what: re.Pattern[bytes], by: Sequence[bytes], choose: Choose) -> bytes:
    found = list(what.finditer(content[:20_000]))
    if not found:
        return content
    place = found[choose(0, len(found) - 1)]
    return content[: place.start()] + by[choose(0, len(by) - 1)] + content[place.end() :]


def _nest(content: bytes, _: Sequence[bytes], choose: Choose) -> bytes:
    at = choose(0, len(content))
    return content[:at] + NESTED[choose(0, len(NESTED) - 1)] * choose(1, 5000) + content[at:]


def _noise(content: bytes, _: Sequence[bytes], choose: Choose) -> bytes:
    at = choose(0, len(content))
    return content[:at] + random.Random(choose(0, 2**32)).randbytes(choose(1, 300)) + content[at:]


CHANGES = (_flip, _cut, _drop, _splice, _repeat, _length, _number, _word, _nest, _noise, _flip, _length, _number)


def png_repaired(content: bytes) -> bytes:
    """A PNG with the right sum behind every chunk, so that what is wrong in it is looked at."""
    fixed, at = [content[:8]], 8
    while at + 12 <= len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        if at + 12 + length > len(content):
            break
        body = content[at + 4 : at + 8 + length]
        fixed.append(content[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + length
    return b"".join(fixed) + content[at:]
