"""What a person does with models of their own, on real files: nothing is lost, nothing half-written, nothing run."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ml.config import SampleRequest
from ml.errors import BadFile, BadRequest, CannotWrite
from ml.evaluation import metrics
from ml.evaluation.metrics import Report
from ml.generation import requests
from ml.registry import import_weights, local_models, model_cards, presets
from ml.registry.checkpoint import load_header, load_model, save
from ml.registry.local_models import Choices
from ml.registry.model_cards import ModelCard, Scores
from ml.registry.run_layout import MODEL_FILE, SNAPSHOTS, STATE_FILE
from ml.system import folder_lock, paths, trash
from ml.system.trash import Trashed
from ml.tracking import run_index
from ml.tracking.metrics_table import LOSS_FILE

OF_A_RUN = (MODEL_FILE, STATE_FILE, LOSS_FILE)


@pytest.fixture(scope="module")
def tiny_run() -> Path:
    """The folder of a finished run, as it was once written."""
    return Path(__file__).parents[2] / "corpus" / "v1" / "run"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_run: Path) -> Path:
    """A person's folder with the model `kept`, its card, and the run `mine`."""
    home = tmp_path / "home"
    monkeypatch.setenv("NOISELOOM_HOME", str(home))
    (home / "models").mkdir(parents=True)
    shutil.copy(tiny_run / MODEL_FILE, home / "models" / "kept.safetensors")
    card = Scores(about="a tiny one", scores={"images": 100, "seed 1": {"accuracy": 0.5}})
    (home / "models" / "kept.json").write_text(card.model_dump_json())
    shutil.copytree(tiny_run, home / "runs" / "mine")
    return home


def card(name: str) -> ModelCard:
    return next(card for card in model_cards.cards() if card.name == name)


def names() -> set[str]:
    return {card.name for card in model_cards.cards() if not card.bundled}


def content(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def tiny_weights(run: Path) -> dict[str, torch.Tensor]:
    return load_model(run / MODEL_FILE)[1]


# ---- names


@pytest.mark.parametrize(
    "name", ["", "  ", ".", "..", "a.", "a..b", "a/b", "a\\b", ".hidden", "x" * 51, "nul\0", "a\nb", "a:b"]
)
def test_a_name_that_could_lead_elsewhere_is_refused(home: Path, name: str) -> None:
    before = content(home)
    with pytest.raises(BadRequest, match="as a model name"):
        local_models.rename(card("kept"), name)
    assert content(home) == before


def test_a_name_may_be_fifty_characters_long(home: Path) -> None:
    assert local_models.rename(card("kept"), "x" * 50) == "x" * 50 and names() == {"x" * 50, "mine"}


@pytest.mark.parametrize("name", ["digits", "Digits", "judge", "model", "Model"])
def test_a_bundled_models_name_stays_its_own(home: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="is reserved"):
        local_models.rename(card("kept"), name)


def test_a_name_in_use_is_refused(home: Path) -> None:
    for name in ("mine", "kept"):
        other = card("kept" if name == "mine" else "mine")
        with pytest.raises(BadRequest, match="already"):
            local_models.rename(other, name)
    assert names() == {"kept", "mine"}


# ---- renaming


def test_a_model_is_renamed_with_its_card_and_a_run_with_its_folder(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = content(home / "runs" / "mine")
    assert local_models.rename(card("kept"), " Größe 2 (v1.5) ") == "Größe 2 (v1.5)"
    assert local_models.rename(card("mine"), "first") == "first"
    assert names() == {"Größe 2 (v1.5)", "first"}
    assert card("Größe 2 (v1.5)").about == "a tiny one"
    assert content(home / "runs" / "first") == run and not (home / "runs" / "mine").exists()
    assert local_models.rename(card("first"), "first") == "first"
    monkeypatch.setattr(
        paths, "is_taken", lambda name: name.casefold() == "first"
    )  # as on a disk that knows no capitals
    assert local_models.rename(card("first"), "First") == "First" and names() == {"Größe 2 (v1.5)", "First"}


def test_a_run_that_is_being_trained_stays_where_it_is(home: Path) -> None:
    lock = folder_lock.lock_folder(home / "runs" / "mine")
    try:
        for action in (lambda: local_models.rename(card("mine"), "yours"), lambda: local_models.delete(card("mine"))):
            with pytest.raises(BadRequest, match="mine is being trained"):
                action()
    finally:
        lock.release()
    assert names() == {"kept", "mine"} and trash.items() == []
    assert local_models.rename(card("mine"), "yours") == "yours"


def test_bundled_models_stay(home: Path) -> None:
    for action in (lambda: local_models.rename(card("digits"), "mein"), lambda: local_models.delete(card("digits"))):
        with pytest.raises(BadRequest, match="is bundled with Noiseloom"):
            action()
    assert (model_cards.bundled_folder() / "digits.safetensors").is_file()


# ---- export and import


def test_a_model_goes_out_with_its_card_and_comes_in_again(home: Path, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    out = local_models.export_model(card("kept"), tmp_path / "away" / "shared.v2")
    assert content(tmp_path / "away") == {"shared.v2.safetensors", "shared.v2.json"}
    assert local_models.import_model(out) == "shared.v2"
    assert local_models.import_model(out) == "shared.v2-2"
    for name in ("shared.v2", "shared.v2-2"):
        assert card(name).about == "a tiny one" and card(name).scores == card("kept").scores
        assert (home / "models" / f"{name}.safetensors").read_bytes() == card("kept").path.read_bytes()


def test_a_bundled_model_can_be_taken_along_and_is_ones_own_then(home: Path, tmp_path: Path) -> None:
    out = local_models.export_model(card("judge"), tmp_path / "judge.safetensors")
    assert local_models.import_model(out) == "judge-2" and not card("judge-2").bundled


def test_an_export_overwrites_no_strangers_file(home: Path, tmp_path: Path) -> None:
    (tmp_path / "data.json").write_text("precious")
    with pytest.raises(BadRequest, match=r"data\.json is in that folder"):
        local_models.export_model(card("kept"), tmp_path / "data.safetensors")
    with pytest.raises(BadRequest, match="own file"):
        local_models.export_model(card("kept"), card("kept").path)
    with pytest.raises(CannotWrite):
        local_models.export_model(card("kept"), tmp_path / "nowhere" / "m.safetensors")
    (tmp_path / "mine.safetensors").write_text("precious too")
    assert local_models.export_model(card("kept"), tmp_path / "mine").name == "mine-2.safetensors"
    assert (tmp_path / "mine.safetensors").read_text() == "precious too"
    assert (tmp_path / "data.json").read_text() == "precious" and not (tmp_path / "data.safetensors").exists()


def test_a_run_is_imported_under_the_name_of_its_folder(home: Path, tiny_run: Path, tmp_path: Path) -> None:
    expected = {"..strange?name": "strange-name", "x" * 60: "x" * 45, "??": "imported", "(model)": "imported"}
    for folder, name in expected.items():
        shutil.copytree(tiny_run, tmp_path / folder)
        assert local_models.import_model(tmp_path / folder / MODEL_FILE) in (name, f"{name}-2")
    assert names() == {"kept", "mine", *expected.values(), "imported-2"}


def test_a_damaged_file_of_ours_is_refused(home: Path, tmp_path: Path, tiny_run: Path) -> None:
    whole = (tiny_run / MODEL_FILE).read_bytes()
    (tmp_path / "half.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadFile, match="damaged"):
        local_models.import_model(tmp_path / "half.safetensors")
    weights = tiny_weights(tiny_run)
    weights.popitem()
    save(tmp_path / "lacking.safetensors", weights, load_header(tiny_run / MODEL_FILE))
    with pytest.raises(BadFile):
        local_models.import_model(tmp_path / "lacking.safetensors")
    assert names() == {"kept", "mine"} and content(home / "models") == {"kept.safetensors", "kept.json"}


# ---- weights of others


@pytest.mark.parametrize("wrap", [lambda w: w, lambda w: {"epoch": 3, "state_dict": w}, lambda w: {"model": w}])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_plain_weights_that_fit_are_taken(home: Path, tmp_path: Path, tiny_run: Path, wrap, prefix: str) -> None:
    weights = tiny_weights(tiny_run)
    torch.save(wrap({prefix + name: tensor for name, tensor in weights.items()}), tmp_path / "theirs.pt")
    assert local_models.import_model(tmp_path / "theirs.pt") == "theirs"
    header, taken = load_model(home / "models" / "theirs.safetensors")
    assert header.model == load_header(tiny_run / MODEL_FILE).model
    assert all(torch.equal(taken[name], weights[name]) for name in weights)
    assert "theirs.pt" in card("theirs").about and card("theirs").header.data == ""


def test_plain_safetensors_are_taken_where_they_fit(home: Path, tmp_path: Path, tiny_run: Path) -> None:
    save_file(tiny_weights(tiny_run), tmp_path / "plain.safetensors")
    assert local_models.import_model(tmp_path / "plain.safetensors") == "plain"
    save_file({"weight": torch.zeros(2)}, tmp_path / "odd.safetensors")
    with pytest.raises(BadFile, match=r"fits no network.*weight \(2,\).*expected"):
        local_models.import_model(tmp_path / "odd.safetensors")


def test_weights_that_fit_several_networks_give_choices(home: Path, tmp_path: Path) -> None:
    torch.save(load_model(model_cards.find("shuffle-flow"))[1], tmp_path / "s.pth")
    choices = local_models.import_model(tmp_path / "s.pth")
    assert isinstance(choices, Choices) and set(choices.kinds) == {"shuffle-flow", "shuffle"}
    assert local_models.import_model(tmp_path / "s.pth", "shuffle") == "s"
    header = card("s").header
    assert (header.model, header.defaults) == (presets.load("shuffle").model, presets.load("shuffle").defaults)


def test_a_network_is_called_by_the_first_model_that_has_it(home: Path) -> None:
    kinds, ours = import_weights.kinds(), card("digits").header.model
    assert all(one.model != other.model for k, one in enumerate(kinds) for other in kinds[:k])
    first = next(each.name for each in model_cards.cards() if each.header.model == ours)
    assert [kind.name for kind in kinds if kind.model == ours] == [first]


def test_weights_that_fit_no_network_are_refused_with_both_shapes(home: Path, tmp_path: Path, tiny_run: Path) -> None:
    weights = tiny_weights(tiny_run)
    name = next(iter(weights))
    torch.save({**weights, name: torch.zeros(3, 5)}, tmp_path / "almost.pt")
    with pytest.raises(BadFile) as refused:
        local_models.import_model(tmp_path / "almost.pt")
    said = refused.value.message
    assert f"expected {name} {tuple(weights[name].shape)}, found (3, 5)" in said and str(len(weights) - 1) in said
    torch.save({**weights, "more": torch.zeros(1)}, tmp_path / "more.pt")
    with pytest.raises(BadFile, match="expected nothing more"):
        local_models.import_model(tmp_path / "more.pt")


class Evil:
    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str, str]]:
        return (open, (str(self.witness), "w"))


@pytest.mark.parametrize("suffix", import_weights.PICKLES)
@pytest.mark.parametrize("old_format", [False, True])
def test_code_in_a_file_is_not_run(home: Path, tmp_path: Path, tiny_run: Path, suffix: str, old_format: bool) -> None:
    witness, path = tmp_path / "witness", tmp_path / f"evil{suffix}"
    content = {**tiny_weights(tiny_run), "payload": Evil(witness)}
    torch.save(content, path, _use_new_zipfile_serialization=not old_format)
    with pytest.raises(BadFile, match="more than plain weights"):
        local_models.import_model(path)
    assert not witness.exists() and names() == {"kept", "mine"}


@pytest.mark.parametrize("content", [b"", b"garbage", b"PK\x03\x04half", b"\x80\x02}q\x00."])
def test_what_is_no_model_is_refused(home: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    (tmp_path / "x.safetensors").write_bytes(content)
    for name in ("x.pt", "x.safetensors"):
        with pytest.raises(BadFile):
            local_models.import_model(tmp_path / name)
    with pytest.raises(BadFile):
        local_models.import_model(tmp_path / "gone.pt")


def test_only_plain_tensors_are_seen(tmp_path: Path) -> None:
    torch.save({"m": torch.ones(2, device="meta"), "n": 3, "w": torch.ones(2)}, tmp_path / "mixed.pt")
    assert list(import_weights.plain_tensors(tmp_path / "mixed.pt")) == ["w"]
    nested = {"model": {"a": torch.ones(1)}, "ema": {"module._orig_mod.a": torch.zeros(1)}, "epoch": torch.ones(1)}
    torch.save(nested, tmp_path / "nested.pt")  # the averaged weights, which draw better, come first
    found = import_weights.plain_tensors(tmp_path / "nested.pt")
    assert list(found) == ["a"] and found["a"].item() == 0
    torch.save({"module.a": torch.ones(1), "b": torch.ones(1)}, tmp_path / "partly.pt")
    assert list(import_weights.plain_tensors(tmp_path / "partly.pt")) == ["module.a", "b"]
    torch.save([torch.ones(2)], tmp_path / "list.pt")
    with pytest.raises(BadFile, match="no named weights"):
        import_weights.plain_tensors(tmp_path / "list.pt")


# ---- the trash


def test_what_is_deleted_can_be_taken_back(home: Path) -> None:
    before = content(home)
    thrown = [local_models.delete(card("kept")), local_models.delete(card("mine"))]
    assert names() == set() and [item.name for item in trash.items()] == ["mine", "kept"]
    assert [trash.restore(item) for item in thrown] == ["kept", "mine"]
    assert not any(item.folder.exists() for item in thrown)
    assert content(home) == before and trash.items() == []
    assert card("kept").about == "a tiny one"
    with pytest.raises(BadRequest, match="no longer"):
        trash.restore(thrown[0])


def test_it_comes_back_under_another_name_where_its_own_is_taken(home: Path, tiny_run: Path) -> None:
    thrown = local_models.delete(card("kept"))
    shutil.copytree(tiny_run, home / "runs" / "kept")
    assert trash.restore(thrown) == "kept-2"
    assert content(home / "models") == {"kept-2.safetensors", "kept-2.json"} and card("kept-2").about == "a tiny one"


def test_a_run_with_a_dot_in_its_name_comes_back_under_the_whole_of_it(home: Path) -> None:
    local_models.rename(card("mine"), "v1.5")
    local_models.delete(card("v1.5"))
    [item] = trash.items()
    assert item.name == "v1.5" and trash.restore(item) == "v1.5" and names() == {"kept", "v1.5"}


def copy_of_kept(name: str) -> ModelCard:
    own = paths.user_models()
    for suffix in (".safetensors", ".json"):
        shutil.copy(own / f"kept{suffix}", own / f"{name}{suffix}")
    return card(name)


def been_there(item: Trashed, days: float) -> None:
    when = time.time() - days * 24 * 3600
    os.utime(item.folder, (when, when))


def test_what_is_deleted_is_kept_for_thirty_days(home: Path) -> None:
    old, young = (local_models.delete(copy_of_kept(name)) for name in ("old", "young"))
    been_there(old, 30.1)
    been_there(young, 29.9)
    local_models.delete(card("mine"))
    assert [item.name for item in trash.items()] == ["mine", "young"]
    assert not old.folder.exists() and trash.restore(young) == "young"


def test_the_trash_is_emptied_on_request(home: Path) -> None:
    old, new = local_models.delete(copy_of_kept("old")), local_models.delete(card("kept"))
    been_there(old, 2)
    assert trash.empty(3 * 24 * 3600) == 0
    assert trash.empty(1 * 24 * 3600) == 1 and not old.folder.exists()
    assert [item.name for item in trash.items()] == ["kept"]
    assert trash.empty() == 1 and trash.items() == [] and not new.folder.exists()
    assert paths.user_runs().is_dir() and card("digits").bundled


def test_nothing_is_half_moved(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = content(home), trash.move

    def failing(source: Path, target: Path) -> None:
        if source.suffix == ".json":
            raise CannotWrite("Cannot move it: the disk is full.")
        real(source, target)

    monkeypatch.setattr(trash, "move", failing)
    with pytest.raises(CannotWrite):
        local_models.delete(card("kept"))
    assert content(home) == before and trash.items() == []


# ---- scores


def test_scores_are_kept_beside_a_model_with_those_of_other_seeds(home: Path) -> None:
    report = Report(
        source="kept", images=100, network_calls=4, accuracy=0.91234, confidence=0.8, frechet=2.0, frechet_floor=1.0,
        frechet_ratio=2.0, precision=0.5, recall=0.6, memorised=1,
    )  # fmt: skip
    local_models.keep_scores(card("kept"), metrics.scores_of(report, 7))
    kept = json.loads((home / "models" / "kept.json").read_text())
    assert kept["about"] == "a tiny one" and kept["scores"]["seed 1"] == {"accuracy": 0.5}
    assert kept["scores"]["seed 7"]["accuracy"] == 0.9123 and kept["scores"]["seed 7"]["memorised"] == 1
    more = report.with_changes(images=1000)
    local_models.keep_scores(card("kept"), metrics.scores_of(more, 7))
    assert set(card("kept").scores) == {"images", "network_calls", "seed 7"}
    again = metrics.scores_of(more.with_changes(accuracy=None, recall=0.75), 7)
    local_models.keep_scores(card("kept"), again)  # of the same seed what was measured last
    assert card("kept").scores == again == {
        "images": 1000, "network_calls": 4,
        "seed 7": {"confidence": 0.8, "frechet_ratio": 2.0, "precision": 0.5, "recall": 0.75, "memorised": 1},
    }  # fmt: skip
    local_models.keep_scores(card("mine"), metrics.scores_of(more, 7))
    assert card("mine").scores["images"] == 1000 and (home / "runs" / "mine" / "model.json").is_file()


def test_cards_say_how_large_a_model_is(home: Path, tiny_run: Path) -> None:
    found = card("kept")
    assert found.size == found.path.stat().st_size
    assert found.parameters == sum(tensor.numel() for tensor in tiny_weights(tiny_run).values())


def test_ones_own_models_come_after_the_bundled_ones_the_latest_first(home: Path) -> None:
    for model, when in ((home / "models" / "kept.safetensors", 200), (home / "runs" / "mine" / MODEL_FILE, 100)):
        os.utime(model, (when, when))
    assert [card.name for card in model_cards.cards()][-2:] == ["kept", "mine"]
    os.utime(home / "runs" / "mine" / MODEL_FILE, (300, 300))
    found = [(card.name, card.bundled) for card in model_cards.cards()]
    assert found[-2:] == [("mine", False), ("kept", False)] and all(bundled for _, bundled in found[:-2])


def test_a_request_has_the_settings_of_its_model_but_for_those_that_are_set(home: Path) -> None:
    own = card("kept").header.defaults
    asked = SampleRequest.model_validate({"model": "kept", "labels": (3,), "guidance": 7.5, "seed": 9})
    filled = requests.with_model_defaults(asked)
    assert own.steps == 4 != SampleRequest(labels=(3,)).steps
    assert (filled.steps, filled.guidance, filled.seed, filled.labels) == (4, 7.5, 9, (3,))


def test_a_link_to_nothing_hides_no_model_and_no_run(home: Path) -> None:
    for folder in (paths.user_models(), paths.user_runs() / "gone"):
        folder.mkdir(parents=True, exist_ok=True)
    for link in (paths.user_models() / "x.safetensors", *(paths.user_runs() / "gone" / name for name in OF_A_RUN)):
        link.symlink_to(home / "nothing")
    assert [card.bundled for card in model_cards.cards()].count(True) > 5
    assert run_index.unfinished_runs() == [] and run_index.runs_with_curves() == [paths.user_runs() / "mine"]


@pytest.mark.parametrize("name", ["a" * 5000 + "@1", "a\0b@1", "x@1", "~nobody@1"])
def test_a_step_of_what_is_no_run_is_refused_in_a_sentence(home: Path, name: str) -> None:
    with pytest.raises(BadRequest, match="There is no model"):
        model_cards.find(name)


# ---- how names are looked up


def test_a_folder_or_file_is_found_from_where_one_stands_and_from_ones_home(
    home: Path, tmp_path: Path, tiny_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(tiny_run, tmp_path / "elsewhere" / "theirs")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert model_cards.find("theirs").samefile(tmp_path / "elsewhere" / "theirs" / MODEL_FILE)
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "elsewhere"))
    assert model_cards.find(f"~/theirs/{MODEL_FILE}") == tmp_path / "elsewhere" / "theirs" / MODEL_FILE


def test_a_model_of_ones_own_never_stands_in_for_a_bundled_one(home: Path) -> None:
    own = Path(shutil.copy(home / "models" / "kept.safetensors", home / "models" / "digits.safetensors"))
    assert model_cards.find("digits") == model_cards.bundled_folder() / "digits.safetensors"
    assert model_cards.find(str(own)) == own
    found = model_cards.card(own)
    assert found is not None and not found.bundled


def test_a_steps_model_is_one_of_the_run_of_that_name(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [home / "runs" / "mine" / SNAPSHOTS, tmp_path / "mine" / SNAPSHOTS]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("00000004", "00000002", "best"):
            shutil.copy(home / "models" / "kept.safetensors", folder / f"{name}.safetensors")
    monkeypatch.chdir(tmp_path)
    assert model_cards.find("mine@4") == folders[0] / "00000004.safetensors"
    assert model_cards.find(f"{tmp_path / 'mine'}@2") == folders[1] / "00000002.safetensors"
    assert [path.stem for path in model_cards.snapshots("mine")] == ["00000002", "00000004"]
    for name in ("mine@best", "mine@", "mine@3"):
        with pytest.raises(BadRequest, match="There is no model"):
            model_cards.find(name)


def test_a_name_without_end_is_not_repeated(home: Path) -> None:
    with pytest.raises(BadRequest) as refused:
        model_cards.find("x" * 5000)
    assert len(refused.value.message) < 200


# ---- which weights of others are read


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".ckpt", ".bin", ".PT"])
def test_pytorchs_own_files_are_known_by_their_endings(tmp_path: Path, suffix: str) -> None:
    torch.save({"w": torch.ones(2)}, tmp_path / f"x{suffix}")
    assert list(import_weights.plain_tensors(tmp_path / f"x{suffix}")) == ["w"]


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_tensors_that_are_packed_are_no_plain_weights() -> None:
    sparse, quantized = torch.eye(2).to_sparse(), torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8)
    assert list(import_weights._named({"s": sparse, "q": quantized, "w": torch.ones(2)})) == ["w"]


def test_a_part_of_a_file_without_weights_is_passed_over(tmp_path: Path) -> None:
    torch.save({"ema": {"decay": 0.99}, "model": {"w": torch.ones(2)}}, tmp_path / "x.pt")
    assert list(import_weights.plain_tensors(tmp_path / "x.pt")) == ["w"]


def test_a_network_that_needs_another_model_is_known_only_with_it(home: Path) -> None:
    configs = [presets.load(name) for name in presets.names()]
    lacking = [config.model for config in configs if config.codec_from or config.reader_from]
    assert lacking and not any(kind.model in lacking for kind in import_weights.kinds())


def test_where_nothing_is_the_same_the_nearest_network_is_that_of_as_many_tensors(home: Path) -> None:
    sizes = {len(import_weights._expected(kind.model.model_dump_json())) for kind in import_weights.kinds()}
    with pytest.raises(BadFile, match=rf"nearest network, that of .*, has {min(sizes)}, of which 0 are"):
        import_weights.matching_kinds({"x": torch.zeros(1)}, "x.pt")
