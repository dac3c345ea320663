"""The scores of checkpoints: kept as the cards of snapshots, whatever these hold, and which is the best."""

from ml.events import CheckpointScored
from ml.tracking.score_curve import SEED, best, score_of


def test_the_best_has_the_least_distance_or_else_the_highest_accuracy() -> None:
    far, near = CheckpointScored(100, 0.9, 3.0), CheckpointScored(200, 0.7, 2.0)
    assert best([far, near, CheckpointScored(400, 0.95, None)]) == near
    assert best([near, CheckpointScored(400, 0.7, 2.0)]) == CheckpointScored(400, 0.7, 2.0)  # the later of equals
    right = [CheckpointScored(100, 0.9, None), CheckpointScored(200, 0.9, None), CheckpointScored(400, None, None)]
    assert best(right) == right[1]
    assert best([CheckpointScored(100, None, None)]) is None and best([]) is None


def test_a_card_may_hold_anything() -> None:
    for scores in ({}, {f"seed {SEED}": "0.9"}, {f"seed {SEED}": {"accuracy": "high", "frechet_ratio": float("nan")}}):
        assert score_of(100, scores, "too few") == CheckpointScored(100, None, None, None, "too few")
    figures = {"accuracy": 1, "frechet_ratio": 2.5, "judge_test_accuracy": 0.97}
    assert score_of(100, {f"seed {SEED}": figures}, "") == CheckpointScored(100, 1.0, 2.5, 0.97)
