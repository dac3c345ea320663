"""The tokenizer of the digit CLIP: those of open_clip's tokens that occur in captions are numbered."""

import re
from functools import cache

import torch
from torch import Tensor

from ml.text import caption_words

CONTEXT = 20  # tokens
_WORD = re.compile(r"[^\W_]+")  # hyphens and commas separate words
PAD, UNKNOWN, START = 0, 1, 2  # the end has the highest number, by which CLIP's text tower finds it


def _pieces(text: str) -> list[int]:
    """open_clip's tokens of a text, without those of its start and end."""
    from ml.system.torchvision_compat import open_clip  # takes seconds to import

    enough = 4 * len(text.encode()) + 2  # a token has a byte at least, and normalising lengthens some texts
    row: list[int] = open_clip.tokenize(text, enough)[0].tolist()
    return row[1 : row.index(max(row))]  # the end has the highest number


@cache
def vocabulary() -> dict[int, int]:
    """The number of each of open_clip's tokens that occur in captions."""
    known = {token for text in caption_words.words() for token in _pieces(text)}
    return {token: number for number, token in enumerate(sorted(known), start=START + 1)}


def vocabulary_size() -> int:
    """The number of tokens, with the special ones."""
    return len(vocabulary()) + START + 2


@cache
def encode(text: str) -> tuple[int, ...]:
    """The numbers of a text's tokens; a word with an unknown token is one UNKNOWN."""
    numbers: list[int] = []
    for word in _WORD.findall(text.casefold()):
        tokens = [vocabulary().get(token, UNKNOWN) for token in _pieces(word)]
        numbers += [UNKNOWN] if UNKNOWN in tokens else tokens
    return tuple(numbers)


def tokens(texts: list[str]) -> Tensor:
    """int64 (N, CONTEXT): START, the text's numbers, the end and padding."""
    return rows([encode(text) for text in texts])


def rows(encoded: list[tuple[int, ...]]) -> Tensor:
    """int64 (N, CONTEXT) of encoded texts, which are truncated to fit."""
    end = vocabulary_size() - 1
    table = torch.full((len(encoded), CONTEXT), PAD, dtype=torch.int64)
    for row, numbers in enumerate(encoded):
        line = [START, *numbers[: CONTEXT - 2], end]
        table[row, : len(line)] = torch.tensor(line)
    return table
