"""What torchrun's variables say of a process."""

import pytest

from ml.distributed import torchrun

NUMBERS = {"WORLD_SIZE": "8", "RANK": "6", "LOCAL_RANK": "2", "LOCAL_WORLD_SIZE": "4"}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TORCHELASTIC_RUN_ID", *NUMBERS):
        monkeypatch.delenv(name, raising=False)


def test_each_number_is_read_from_its_own_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, number in NUMBERS.items():
        monkeypatch.setenv(name, number)
    found = torchrun.world_size(), torchrun.rank(), torchrun.local_rank(), torchrun.local_size()
    assert found == (8, 6, 2, 4)


@pytest.mark.parametrize("text", ["", "two", "-1", "1.5"])
def test_what_is_no_number_counts_as_none(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", text)
    assert torchrun.world_size() == 0 and torchrun.rank() == 0


@pytest.mark.parametrize(("run", "size", "launched"), [("id", "2", True), ("id", "1", False), (None, "2", False)])
def test_several_processes_are_those_of_torchrun(
    run: str | None, size: str, launched: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other programs, as those that queue jobs, set WORLD_SIZE, too."""
    monkeypatch.setenv("WORLD_SIZE", size)
    if run:
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", run)
    assert torchrun.launched() is launched
