"""Formats of films and their limits."""

from collections.abc import Callable

from ml.events import Pixels

PictureOf = Callable[[int], Pixels]  # makes a picture when it is its turn: a long film does not fit into memory


FILMS = (".gif", ".webp", ".apng", ".mp4")


MAX_SIDE = {".gif": 65_535, ".webp": 16_383, ".mp4": 4096}  # what the formats, or their usual players, can hold


MAX_FILM_PIXELS = 4_000_000_000  # of all pictures of a film, read: some seconds of decoding
