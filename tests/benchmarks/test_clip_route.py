"""How long a digit by words takes, on two cores: the median of several drawings, alone and a hundred together."""

import statistics
import time
from collections.abc import Iterator

import pytest
import torch

from ml.config import NO_LABEL, SampleRequest, for_route
from ml.generation import pipeline
from ml.registry import model_cards
from ml.registry.checkpoint import load_header
from ml.specs import ROUTES

TIMES = 5
CORES = 2


@pytest.fixture(autouse=True)
def two_cores() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(CORES)
    yield
    torch.set_num_threads(before)


def seconds_per_image(count: int) -> float:
    model = ROUTES["clip"].model
    settings = for_route(load_header(model_cards.find(model)).defaults, "clip").model_dump()
    asked = {"model": model, "route": "clip", "prompt": "a bold seven", "labels": (NO_LABEL,) * count}
    request = SampleRequest.model_validate(settings | asked)
    spent = []
    for _ in range(TIMES + 1):
        began = time.perf_counter()
        list(pipeline.sample(request, device="cpu"))
        spent.append(time.perf_counter() - began)
    return statistics.median(spent[1:]) / count  # the first one loads the models


@pytest.mark.bench
@pytest.mark.parametrize(("count", "most_s"), [(1, 0.4), (100, 0.1)])
def test_a_digit_by_words_comes_in_time(count: int, most_s: float) -> None:
    found = seconds_per_image(count)
    print(f"{count} at a time: {found:.3f} s per image")
    assert found <= most_s
