"""A run's tables: read whole or in even parts, and nothing where they are none."""

import errno
import io
import os
from pathlib import Path

import numpy as np
import pytest

from ml.errors import CannotWrite, Diverged
from ml.tracking import loss_curve
from ml.tracking.loss_curve import LossCurve
from ml.tracking.metrics_table import (
    LOSS_COLUMNS,
    LOSS_FILE,
    MOST_ROWS,
    VALIDATION_COLUMNS,
    VALIDATION_FILE,
    Table,
    curve,
)


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Table(tmp_path / VALIDATION_FILE, VALIDATION_COLUMNS)
    for step in range(1, 6):
        table.add(step, step / 10)
    table.write()
    return table


def test_written_rows_are_read(table: Table) -> None:
    assert np.array_equal(table.read(), [[1, 2, 3, 4, 5], [0.1, 0.2, 0.3, 0.4, 0.5]])


def test_a_row_that_is_half_written_does_not_count_yet(table: Table) -> None:
    with table.path.open("a") as file:
        file.write("6,0.")
    assert table.read()[0].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "content", [b"", b"step\n1\n2\n", b"step,loss\n1,x\n", b"\xff\xfe", b"step,loss\n" + b"1" * 5000]
)
def test_another_file_has_no_rows(table: Table, content: bytes) -> None:
    table.path.write_bytes(content)
    assert table.read().shape == (2, 0)


def test_a_missing_table_has_no_rows(tmp_path: Path) -> None:
    assert curve(tmp_path).shape == (3, 0)


def test_of_a_long_table_even_parts_and_its_end_are_read(tmp_path: Path) -> None:
    table = Table(tmp_path / "loss.csv", LOSS_COLUMNS)
    count = 10 * MOST_ROWS + 7
    for step in range(1, count + 1):
        table.add(step, *(f"{step + k / 7:.6f}" for k in range(len(LOSS_COLUMNS) - 1)))
    table.write()
    steps = table.read()[0]
    assert MOST_ROWS / 4 < len(steps) <= 2 * MOST_ROWS and (steps[0], steps[-1]) == (1, count)
    assert len(set(np.diff(steps)[:-1])) == 1


def test_a_step_of_endless_digits_is_no_row(table: Table) -> None:
    with table.path.open("a") as file:
        file.write("9" * 5000 + ",1\n")
    table.remove_after(3)
    assert table.read()[0].tolist() == [1, 2, 3]


def test_the_names_stand_in_it_once_and_rows_come_when_they_are_written(table: Table) -> None:
    table.add(6, 0.6)
    assert table.read()[0, -1] == 5
    again = Table(table.path, VALIDATION_COLUMNS)
    again.add(7, 0.7)
    again.write()
    table.write()
    table.write()
    assert table.path.read_text().splitlines() == [
        "step,loss",
        *(f"{step},{step / 10}" for step in (1, 2, 3, 4, 5, 7, 6)),
    ]


def test_removing_rows_clears_unwritten_ones_and_keeps_the_rest(table: Table) -> None:
    before = table.path.read_text().splitlines()
    table.add(6, 0.6)
    table.remove_after(3)
    table.write()
    assert table.path.read_text().splitlines() == before[:4]
    table.remove_after(3)
    assert table.path.read_text().splitlines() == before[:4]


def test_a_row_that_lacks_its_end_or_a_column_is_forgotten(table: Table) -> None:
    with table.path.open("a") as file:
        file.write("1\n1,2,3\nx,1\n2,0.")
    table.remove_after(5)
    assert table.read()[0].tolist() == [1, 2, 3, 4, 5]
    table.add(6, 0.6)
    table.write()
    assert table.read()[0].tolist() == [1, 2, 3, 4, 5, 6]


def test_rows_that_could_not_be_written_are_kept_for_the_next_write(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk takes half of them, and then no more."""
    before, write, calls = table.path.read_bytes(), io.FileIO.write, 0

    class Full(io.FileIO):
        def write(self, text: bytes) -> int:  # type: ignore[override]
            nonlocal calls
            calls += 1
            if calls > 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(self, text[: len(text) // 2])

    for step in (6, 7):
        table.add(step, step / 10)
    with monkeypatch.context() as patch:
        patch.setattr("builtins.open", lambda path, mode, **_: Full(path, mode.replace("b", "")))
        with pytest.raises(CannotWrite, match="the disk is full"):
            table.write()
    assert table.path.read_bytes() == before
    table.write()
    assert table.read()[0].tolist() == [1, 2, 3, 4, 5, 6, 7]


def test_a_plot_has_steps_losses_and_smoothed_ones(tmp_path: Path) -> None:
    table = Table(tmp_path / LOSS_FILE, LOSS_COLUMNS)
    table.add(1, "0.10", 2.0, 3.0, 4.0, 5.0, "6.0")
    table.write()
    assert curve(tmp_path).tolist() == [[1.0], [2.0], [3.0]]


def test_the_curve_is_smoothed_over_all_steps_at_first_and_a_hundred_later(tmp_path: Path) -> None:
    curve, expected = LossCurve(Table(tmp_path / LOSS_FILE, LOSS_COLUMNS)), 0.0
    for step in range(1, 301):
        loss = 1 + (step % 7) / 10
        expected += (loss - expected) / min(step, 100)
        curve.add(step, loss, 0.1, 0.2, 0.3, 0.4)
        assert curve.smooth == pytest.approx(expected)


def test_rows_become_fewer_and_are_means_of_what_they_stand_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (loss_curve.EVERY_STEP, loss_curve.EVERY_TENTH) == (1000, 10_000)
    monkeypatch.setattr(loss_curve, "EVERY_STEP", 3)
    monkeypatch.setattr(loss_curve, "EVERY_TENTH", 100)
    table = Table(tmp_path / LOSS_FILE, LOSS_COLUMNS)
    curve = LossCurve(table)
    for step in range(1, 301):
        curve.add(step, step / 100, 1e-3, 0.2, 12.345, 67.89)
    table.write()
    steps, seconds, losses, *_, norms, rates = table.read()
    assert steps.tolist() == [1, 2, 3, *range(10, 101, 10), 200, 300]
    assert losses[3] == pytest.approx(np.mean(range(4, 11)) / 100)
    assert losses[4] == pytest.approx(np.mean(range(11, 21)) / 100)
    assert losses[-1] == pytest.approx(np.mean(range(201, 301)) / 100)
    assert (seconds[0], norms[0], rates[0]) == (pytest.approx(12.345, abs=0.006), 0.2, 67.9)


@pytest.mark.parametrize(("first", "limit"), [(0.1, 10.0), (4.0, 40.0)])
def test_ten_times_the_first_loss_is_a_divergence(tmp_path: Path, first: float, limit: float) -> None:
    """That of the first step, or 1 where it is less."""
    for loss, explodes in ((2 * limit - first - 0.1, False), (2 * limit - first + 0.1, True)):
        curve = LossCurve(Table(tmp_path / LOSS_FILE, LOSS_COLUMNS))
        curve.add(1, first, 0.1, 0.2, 0.3, 0.4)
        if explodes:
            with pytest.raises(Diverged, match=r"The loss exploded to .* at step 2"):
                curve.add(2, loss, 0.1, 0.2, 0.3, 0.4)  # half of it, beside the first
        else:
            curve.add(2, loss, 0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_ends_the_curve(tmp_path: Path, loss: float) -> None:
    curve = LossCurve(Table(tmp_path / LOSS_FILE, LOSS_COLUMNS))
    with pytest.raises(Diverged, match=f"The loss became {loss} at step 3"):
        curve.add(3, loss, 0.1, 0.2, 0.3, 0.4)
