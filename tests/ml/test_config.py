"""Descriptions: what is refused, what a request means, and what is said of a file that is wrong."""

from typing import Any

import pytest
from pydantic import ValidationError

from ml.config import (
    MAX_PROBLEMS,
    NO_LABEL,
    Corner,
    ModelConfig,
    SampleRequest,
    SampleSettings,
    TrainConfig,
    for_route,
    parse,
)
from ml.errors import BadFile


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"image_size": 30, "patch": 4}, "30 is not a multiple of patch 4"),
        ({"widths": (8, 12)}, "multiple of 8 between 8 and 1024"),
        ({"widths": (8, 2048)}, "multiple of 8 between 8 and 1024"),
        ({"network": "shuffle", "widths": (16, 24)}, "multiples of 16"),
        ({"prediction": "v", "schedule": "flow"}, "variance-preserving"),
        ({"prediction": "v", "schedule": "edm"}, "variance-preserving"),
        ({"prediction": "eps", "schedule": "linear", "zero_snr": True}, "says nothing about the image"),
    ],
)
def test_networks_that_cannot_be_are_refused(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ModelConfig.model_validate(wrong)


def test_networks_next_to_those_are_not() -> None:
    for right in (
        {"image_size": 32, "patch": 4, "widths": (8, 1024)},
        {"widths": (24,)},
        {"network": "shuffle", "widths": (16, 48)},
        {"prediction": "v", "schedule": "sigmoid", "zero_snr": True},
        {"prediction": "eps", "schedule": "linear"},
    ):
        ModelConfig.model_validate(right)


def test_a_model_sees_the_codes_of_its_codec() -> None:
    assert ModelConfig(channels=3, image_size=32).codes == (3, 32)
    codec = ModelConfig(network="autoencoder", widths=(8, 16, 16), latent=2)
    assert ModelConfig(codec=codec).codes == (2, 7)
    assert ModelConfig(image_size=30, codec=codec.with_changes(image_size=30)).codes == (2, 8)  # half a pixel is one


@pytest.mark.parametrize("given", [{}, {"steps": 5, "minutes": 1}, {"steps": 5, "epochs": 1}])
def test_a_run_has_one_budget(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=f"exactly one .*found: {', '.join(given) or 'none'}"):
        TrainConfig.model_validate(given)


def test_guidance_of_more_than_one_acts_between_its_bounds() -> None:
    settings = SampleSettings(guidance=3.0, guidance_from=0.5, guidance_to=4.0)
    assert [settings.w_at(ratio) for ratio in (0.4, 0.5, 1, 4, 4.1)] == [1, 3, 3, 3, 1]
    assert settings.with_changes(guidance=0.2).w_at(9) == 0.2


def test_the_route_of_clip_takes_its_time() -> None:
    own = SampleSettings(sampler="dpm++", steps=4, guidance=2.0)
    assert for_route(own, "class") == own == for_route(own, "text")
    clip = for_route(own, "clip")
    assert (clip.sampler, clip.steps, clip.repeats, clip.guidance) == ("ddpm", 10, 2, 2.0)


# ---- requests

CORNERS = (Corner(seed=1, label=2), Corner(seed=2, label=3))
PLAIN = SampleRequest(labels=(4, 5, 6), seed=10)
BETWEEN = SampleRequest(labels=(NO_LABEL,) * 3, seed=10, corners=CORNERS, weights=((1, 0), (1, 2), (0, 1)))


def test_an_image_alone_keeps_what_makes_it() -> None:
    assert [PLAIN.seed_of(k) for k in range(3)] == [10, 11, 12]
    assert (PLAIN.alone(2).labels, PLAIN.alone(2).seed) == ((6,), 12)
    seeded = PLAIN.with_changes(seeds=(7, 100, 3))
    assert (seeded.seed_of(1), seeded.alone(1).seed, seeded.alone(1).seeds) == (100, 100, ())
    assert (BETWEEN.alone(1).weights, BETWEEN.alone(1).seed) == (((1, 2),), 10)  # one noise of the way for all
    branch = PLAIN.with_changes(parent=seeded, branch_at=3)
    assert branch.alone(1).parent == seeded.alone(1) and branch.alone(1).branch_at == 3


def test_some_images_are_those_named_as_often_as_they_are() -> None:
    some = PLAIN.with_changes(parent=PLAIN).some([2, 0, 2])
    assert (some.labels, some.seeds) == ((6, 4, 6), (12, 10, 12))
    assert some.parent and some.parent.seeds == (12, 10, 12)
    between = BETWEEN.some([1, 1])
    assert (between.weights, between.seeds, between.seed) == (((1, 2), (1, 2)), (), 10)


def test_a_request_without_hashes_has_none_anywhere() -> None:
    first = PLAIN.with_changes(model_hash="a" * 64)
    branch = first.with_changes(parent=first)
    assert branch.unhashed.model_hash == "" and branch.unhashed.parent == PLAIN
    assert branch.branches == 1 and first.with_changes(parent=branch).branches == 2 and PLAIN.branches == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": (1, 2)}, "3 images need as many seeds, not 2"),
        ({"parent": PLAIN.alone(0)}, "a branch of 1 images has as many, not 3"),
        ({"corners": CORNERS}, "3 images between corners need as many rows of weights"),
        ({"corners": CORNERS, "weights": ((1, 0),) * 2}, "as many rows of weights"),
        ({"corners": CORNERS, "weights": ((1, 0, 0),) * 3}, "one for each corner"),
        ({"corners": CORNERS, "weights": ((1, -0.1),) * 3}, "0 or more"),
        ({"corners": CORNERS, "weights": ((0, 0),) * 3}, "not all 0"),
        ({"weights": ((1,),) * 3}, "one for each corner"),
    ],
)
def test_requests_that_contradict_themselves_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        PLAIN.with_changes(**changes)


def test_unset_fields_stay_unset_in_a_copy() -> None:
    copy = PLAIN.with_changes(steps=3)
    assert copy.steps == 3 and copy.model_fields_set == {"labels", "seed", "steps"}
    with pytest.raises(ValidationError):
        PLAIN.with_changes(steps=0)


# ---- files


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"steps": 0}', r"x: steps: Input should be greater than or equal to 1\."),
        ('{"steps": 5000}', r"x: steps: Input should be less than or equal to 4000\."),
        ('{"seeds": [1, 2]}', r"x: the file: 1 images need as many seeds"),
        ('{"labels": ["a"]}', r"x: labels\.0: "),
        ('{"version": 2, "steps": 0}', r"x was written by a newer Noiseloom\."),
        ('{"version": 0}', r"x: version: "),
        ('{"version": "2"}', r"x: version: "),
        ('{"parent": {"version": 3}}', r"newer"),
        ("{", "x: the file: Invalid JSON"),
    ],
)
def test_a_wrong_file_is_refused_by_the_first_thing_wrong(text: str, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        parse(SampleRequest, text, "x")


def test_a_file_that_is_wrong_throughout_is_refused_by_its_number() -> None:
    text = '{"labels": [' + ",".join(['"a"'] * (MAX_PROBLEMS + 1)) + "]}"
    with pytest.raises(BadFile, match=r"x: 100\d values are wrong"):
        parse(SampleRequest, text, "x")


def test_what_a_later_program_adds_is_left_out() -> None:
    assert parse(SampleRequest, '{"steps": 3, "sharpness": 2}', "x").model_dump() == SampleRequest(steps=3).model_dump()
