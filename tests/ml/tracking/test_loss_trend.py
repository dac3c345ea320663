"""The plain word on a run, on curves whose answer is known because they were made that way."""

import numpy as np
import pytest

from ml.tracking.loss_trend import find_trend

EVERY = 3  # steps between two reports


def curve(shape: str, steps: int, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps and noisy losses of a run that goes as `shape` says."""
    at = np.arange(EVERY, steps + 1, EVERY, dtype=float)
    fall = 0.15 + np.exp(-at / 400)
    clean = {
        "learning": 0.15 + 0.8 * np.exp(-at / steps),
        "flat at the end": np.maximum(fall, 0.15 + np.exp(-(steps - 1200) / 400)),
        "flat": np.full_like(at, 0.3),
        "diverging": fall + np.where(at > steps - 300, 0.004 * (at - steps + 300), 0.0),
        "slow": 0.15 + 0.2 * np.exp(-at / steps),
    }[shape]
    rng = np.random.default_rng(seed)
    return at, clean * np.exp(noise * rng.standard_normal(len(at)))


def found(shape: str, steps: int, noise: float) -> list[str]:
    return [find_trend(*curve(shape, steps, noise, seed)).state for seed in range(20)]


@pytest.mark.parametrize("noise", [0.03, 0.1])
@pytest.mark.parametrize(
    ("shape", "state"),
    [("learning", "learning"), ("flat at the end", "flat"), ("flat", "flat"), ("diverging", "diverging")],
)
def test_a_planted_curve_gets_its_word(shape: str, state: str, noise: float) -> None:
    states = found(shape, 3000, noise)
    assert states.count(state) + (states.count("slow") if state == "learning" else 0) >= 18


def test_a_slowly_falling_loss_is_learning_slowly() -> None:
    assert found("slow", 40_000, 0.1).count("slow") >= 12  # the others take it for flat, and none for worse
    assert set(found("slow", 40_000, 0.1)) <= {"slow", "flat"}


def test_a_flat_stretch_is_as_long_as_it_is() -> None:
    said = find_trend(*curve("flat at the end", 3000, 0.05, 1))
    assert said.words == "flat for 1,000 steps"


def test_spikes_are_no_divergence() -> None:
    steps, losses = curve("flat", 3000, 0.05, 0)
    losses[-10::4] *= 20
    assert find_trend(steps, losses).state == "flat"


@pytest.mark.parametrize("shape", ["learning", "flat"])
def test_the_first_steps_have_no_trend(shape: str) -> None:
    assert find_trend(*curve(shape, 150, 0.05, 0)).words == "the first steps"
    assert find_trend(np.empty(0), np.empty(0)).state == "begun"


def test_half_of_it_learnt_is_put_in_numbers() -> None:
    steps = np.arange(1.0, 1001.0)
    said = find_trend(steps, np.where(steps <= 900, 1.0, 0.5))
    assert said.words == "still learning: 50% lower than 100 steps ago"


def test_a_loss_that_is_no_number_is_divergence() -> None:
    steps, losses = curve("flat", 1000, 0.05, 0)
    losses[-1] = np.nan
    assert find_trend(steps, losses).state == "diverging"


@pytest.mark.parametrize(
    ("held_out", "state"),
    [([0.5, 0.4, 0.38, 0.41, 0.43, 0.44, 0.45], "by heart"), ([0.5, 0.4, 0.38, 0.37, 0.36, 0.355, 0.35], "learning")],
)
def test_held_out_images_tell_of_learning_by_heart(held_out: list[float], state: str) -> None:
    assert find_trend(*curve("learning", 3000, 0.05, 0), np.array(held_out)).state == state


def stairs(*parts: tuple[int, float]) -> tuple[np.ndarray, np.ndarray]:
    """Losses that stay for so many steps each, with a little noise."""
    losses = np.concatenate([np.full(count, loss) for count, loss in parts])
    noise = np.random.default_rng(0).standard_normal(len(losses))
    return np.arange(1.0, len(losses) + 1), losses * np.exp(0.01 * noise)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (((400, 0.5), (100, 0.4)), "still learning: 20% lower than 100 steps ago"),
        (((1000, 0.5), (250, 0.4)), "still learning: 20% lower than 250 steps ago"),
        (((2001, 0.3),), "flat for 2,000 steps"),
        (((2000, 0.3),), "flat for 1,000 steps"),  # of two thousand there is one too few
        (((501, 0.3),), "flat for 500 steps"),
        (((500, 0.3),), "too early to say"),
        (((199, 0.3),), "the first steps"),
        (((2000, 0.9), (1200, 0.3)), "flat for 1,000 steps"),  # it fell, but some time ago
        (((1000, 0.3), (60, 0.5)), "diverging: lower the learning rate"),
        (((1000, 0.3), (60, 0.4)), "flat for 1,000 steps"),  # half as much again is not reached
    ],
)
def test_each_shape_has_its_words(parts: tuple[tuple[int, float], ...], words: str) -> None:
    assert find_trend(*stairs(*parts)).words == words


def test_few_reports_have_no_trend() -> None:
    steps, losses = stairs((720, 0.3))
    assert find_trend(steps[39::40], losses[39::40]).words == "hardly changing"
    assert find_trend(steps[19::20], losses[19::20]).words == "flat for 500 steps"


def test_overfitting_is_four_worse_held_out_losses_by_more_than_a_twentieth() -> None:
    steps, losses = curve("learning", 3000, 0.05, 0)
    for held_out, state in (
        ([0.40, 0.43, 0.43, 0.43, 0.43], "by heart"),
        ([0.40, 0.41, 0.43, 0.43, 0.43], "learning"),  # the last look but three was as good
        ([0.40, 0.415, 0.415, 0.415, 0.415], "learning"),
        ([0.40, 0.43, 0.43, 0.43], "learning"),  # too few to tell
    ):
        assert find_trend(steps, losses, np.array(held_out)).state == state
    said = find_trend(steps, losses, np.array([0.4, 0.44, 0.44, 0.44, 0.44])).words
    assert said == "learning by heart: 10% worse than at best on images it has not seen"


def test_a_trend_is_found_from_two_hundred_steps_on() -> None:
    assert find_trend(*stairs((149, 0.5), (100, 0.4))).words == "still learning: 20% lower than 100 steps ago"


@pytest.mark.parametrize(("fall", "state"), [(0.006, "learning"), (0.003, "begun"), (-0.006, "begun")])
def test_a_fall_counts_from_three_standard_errors_on(fall: float, state: str) -> None:
    """Losses that sway by 1%: of two hundred steps a difference of the halves has a standard error of 0.14%."""
    steps = np.arange(1.0, 251.0)
    logs = 0.01 * (-1.0) ** steps - np.where(steps > 150, fall, 0)
    assert find_trend(steps, 0.3 * np.exp(logs)).state == state


def test_each_half_needs_its_reports() -> None:
    steps = np.concatenate([np.arange(1.0, 601), np.arange(620.0, 701, 20)])  # five in the last hundred steps
    losses = np.where(steps > 600, 0.25, 0.3) * np.exp(0.01 * (-1.0) ** np.arange(len(steps)))
    assert find_trend(steps, losses).state == "flat"


def test_a_loss_that_is_high_and_low_by_turns_is_not_diverging() -> None:
    steps, losses = stairs((1000, 0.3))
    high = losses.copy()
    high[-50::5] = high[-49::5] = high[-48::5] = 0.5  # three of five: the median is high, the mean is not
    assert find_trend(steps, high).state != "diverging"
    high[-50:] = 0.5
    assert find_trend(steps, high).state == "diverging"


def test_learning_by_heart_is_put_in_numbers_by_the_best_and_by_the_mean_of_the_last() -> None:
    steps, losses = stairs((1000, 0.3))
    said = find_trend(steps, losses, np.array([0.5, 0.4, 0.44, 0.44, 0.48, 0.48])).words
    assert said == "learning by heart: 15% worse than at best on images it has not seen"
