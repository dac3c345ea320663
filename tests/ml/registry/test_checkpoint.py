"""Model files and the library: what fits is loaded, and everything else is named with what to do."""

import json
import shutil
import struct
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from ml.errors import BadFile, BadRequest, CannotWrite
from ml.models import build
from ml.models.weights import check_weights, load_weights
from ml.registry import model_cards
from ml.registry.checkpoint import (
    KEY,
    ModelHeader,
    count_parameters,
    describes_itself,
    file_hash,
    load_header,
    load_model,
    load_state,
    save,
)
from ml.registry.run_layout import MODEL_FILE
from ml.system.files import MAX_TEXT
from tests.support.tiny_model import TINY


@pytest.fixture
def model(tiny_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(tiny_run / MODEL_FILE, tmp_path / "m.safetensors"))


def test_a_model_file_carries_all_it_takes_to_draw(model: Path) -> None:
    header, weights = load_model(model)
    network = build(header.model)
    load_weights(network, weights, "m")
    assert header.data == "synthetic" and header.steps == 30 and header.images == 30 * 32
    assert header.classes == header.class_names == tuple("0123456789")
    assert header.model == TINY and header.defaults.steps == 4
    assert all(torch.equal(tensor, weights[name]) for name, tensor in network.state_dict().items())


def test_a_model_knows_the_names_of_its_classes() -> None:
    three = TINY.with_changes(num_classes=3)
    assert ModelHeader(model=three, classes=("cat", "ship", "tree")).class_names == ("cat", "ship", "tree")
    for data in ("cifar10", "folder:cifar10-images"):  # files of before
        assert ModelHeader(model=TINY, data=data).class_names[8] == "ship"
    assert ModelHeader(model=three, data="folder:gone").class_names == ("class 0", "class 1", "class 2")
    assert ModelHeader(model=TINY.with_changes(num_classes=0), data="mnist").class_names == ()


@pytest.mark.parametrize("content", [b"", b"\x00" * 7, bytes(range(256)) * 40, b"{}", b"\xff" * 8 + b"{" * 100])
def test_random_bytes_are_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    with pytest.raises(BadFile, match="damaged or not a model file"):
        load_model(path)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_a_truncated_file_is_refused(model: Path, share: float) -> None:
    content = model.read_bytes()
    model.write_bytes(content[: int(len(content) * share)])
    for read in (load_model, load_header, load_state):
        with pytest.raises(BadFile, match="damaged"):
            read(model)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"no file .*gone"):
        load_model(tmp_path / "gone.safetensors")


def test_someone_elses_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "theirs.safetensors"
    save_file({"weight": torch.zeros(2)}, path)
    with pytest.raises(BadFile, match="not written by Noiseloom"):
        load_model(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "JSON"),
        ("[]", "file"),
        ('{"model": {"widths": "wide"}}', "model.widths"),
        ('{"version": 9}', "newer Noiseloom"),
    ],
)
def test_a_wrong_description_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata={KEY: text})
    with pytest.raises(BadFile, match=said):
        load_model(path)


def test_unknown_keys_of_a_newer_program_are_ignored(model: Path) -> None:
    header, weights = load_model(model)
    described = {**header.model_dump(mode="json"), "flavour": "new"}
    save_file(weights, model, metadata={KEY: json.dumps(described)})
    assert load_header(model) == header


def test_weights_of_another_shape_say_what_was_expected_and_found(model: Path) -> None:
    header, weights = load_model(model)
    other = build(header.model.with_changes(widths=(8, 24)))
    with pytest.raises(BadFile, match=r"expected \(.*\), found \("):
        load_weights(other, weights, "m")
    weights.pop("out.bias")
    with pytest.raises(BadFile, match=r"out\.bias: expected \(4,\), found nothing"):
        load_weights(build(header.model), weights, "m")


def test_a_header_that_lies_about_its_length_is_refused(model: Path) -> None:
    content = model.read_bytes()
    model.write_bytes(struct.pack("<Q", 2**60) + content[8:])
    with pytest.raises(BadFile, match="damaged"):
        load_model(model)


def test_a_description_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata={KEY: " " * (MAX_TEXT + 1)})
    with pytest.raises(BadFile, match="that is too much"):
        load_header(path)


def test_a_tensor_of_another_kind_or_name_does_not_agree() -> None:
    real, whole = torch.zeros(3), torch.zeros(3, dtype=torch.int64)
    check_weights({"a": real}, {"a": real.half()}, "m")
    for expected, found, said in (
        ({"a": real}, {"a": whole}, r"a: expected \(3,\), found \(3,\) of int64"),
        ({"a": real}, {"a": real, "b": real}, r"b: expected nothing of that name, found \(3,\)"),
    ):
        with pytest.raises(BadFile, match=said):
            check_weights(expected, found, "m")


def test_a_file_is_known_by_its_content(model: Path, tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert file_hash(tmp_path / "abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert describes_itself(model)
    header, weights = load_model(model)
    assert count_parameters(model) == sum(tensor.numel() for tensor in weights.values())
    save_file(weights, tmp_path / "bare.safetensors")
    assert not describes_itself(tmp_path / "bare.safetensors") and header.model == TINY


def test_a_full_disk_is_named_by_every_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(CannotWrite, match="the disk is full"):
        save(tmp_path / "m.safetensors", {"weight": torch.ones(3)}, ModelHeader(model=TINY))
    assert not list(tmp_path.iterdir())


def test_nothing_is_executed(tmp_path: Path) -> None:
    path, witness = tmp_path / "evil.safetensors", tmp_path / "witness"

    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (open, (str(witness), "w"))  # type: ignore[return-value]

    torch.save(Evil(), path)
    with pytest.raises(BadFile):
        load_model(path)
    assert not witness.exists()


def test_saving_is_all_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save(path, {"weight": torch.ones(3)}, ModelHeader(model=TINY))
    assert torch.equal(load_file(path)["weight"], torch.ones(3))
    assert [entry.name for entry in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NOISELOOM_HOME", str(tmp_path))
    for folder in ("models", "runs"):
        (tmp_path / folder).mkdir()
    return tmp_path


def test_models_are_found_by_name_run_folder_and_path(home: Path, tiny_run: Path) -> None:
    shutil.copytree(tiny_run, home / "runs" / "mine")
    kept = Path(shutil.copy(tiny_run / MODEL_FILE, home / "models" / "kept.safetensors"))
    assert model_cards.find("kept") == model_cards.find(str(kept)) == kept
    assert (
        model_cards.find("mine") == model_cards.find(str(home / "runs" / "mine")) == home / "runs" / "mine" / MODEL_FILE
    )
    assert model_cards.find("judge").parent == model_cards.bundled_folder()
    names = [card.name for card in model_cards.cards()]
    assert {"judge", "kept", "mine"} <= set(names)


def test_a_broken_file_does_not_hide_the_others(home: Path, tiny_run: Path) -> None:
    shutil.copy(tiny_run / MODEL_FILE, home / "models" / "kept.safetensors")
    (home / "models" / "broken.safetensors").write_bytes(b"no")
    names = [card.name for card in model_cards.cards()]
    assert "kept" in names and "broken" not in names


@pytest.mark.parametrize("name", ["", ".", "..", "no such model", "a/b/../c", "x" * 5000, "nul\0nul", "~nobody-here"])
def test_a_name_that_is_none_is_refused(home: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="There is no model"):
        model_cards.find(name)


def test_cards_say_whose_model_it_is(home: Path, tiny_run: Path) -> None:
    shutil.copytree(tiny_run, home / "runs" / "mine")
    cards = {card.name: card for card in model_cards.cards()}
    assert cards["judge"].bundled and cards["judge"].title and cards["judge"].scores["test_accuracy"] >= 0.995
    assert not cards["mine"].bundled and cards["mine"].header.data == "synthetic"
