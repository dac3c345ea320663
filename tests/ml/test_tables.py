"""A run's tables: read whole or in even parts, and nothing where they are none."""

from pathlib import Path

import numpy as np
import pytest

from ml.tables import LOSS_COLUMNS, MOST_ROWS, VALIDATION_COLUMNS, VALIDATION_FILE, Table, curve


@pytest.fixture
def table(tmp_path: Path) -> Table:
    table = Table(tmp_path / VALIDATION_FILE, VALIDATION_COLUMNS)
    for step in range(1, 6):
        table.add(step, step / 10)
    table.write()
    return table


def test_what_is_written_is_read(table: Table) -> None:
    assert np.array_equal(table.read(), [[1, 2, 3, 4, 5], [0.1, 0.2, 0.3, 0.4, 0.5]])


def test_a_row_that_is_half_written_does_not_count_yet(table: Table) -> None:
    with table.path.open("a") as file:
        file.write("6,0.")
    assert table.read()[0].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    "content", [b"", b"step\n1\n2\n", b"step,loss\n1,x\n", b"\xff\xfe", b"step,loss\n" + b"1" * 5000]
)
def test_what_is_no_such_table_holds_nothing(table: Table, content: bytes) -> None:
    table.path.write_bytes(content)
    assert table.read().shape == (2, 0)


def test_a_missing_table_holds_nothing(tmp_path: Path) -> None:
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
    table.forget_after(3)
    assert table.read()[0].tolist() == [1, 2, 3]
