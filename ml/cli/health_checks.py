"""What is here, what is missing, and what to do about it."""

from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ml.data import datasets
from ml.data.dataset import usual_roots
from ml.errors import BadFile, CannotWrite, DataUnavailable
from ml.export import mp4
from ml.registry import model_cards
from ml.registry.checkpoint import load_header
from ml.system import paths
from ml.system.device import choose_device, free, gpu_remedy, precisions
from ml.system.files import check_writable
from ml.system.versions import versions

MODELS = ("digits", "judge")
SCREEN = ("PySide6", "pyqtgraph", "qtawesome")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `what_to_do` is empty where nothing is."""

    what: str
    ok: bool
    found: str
    what_to_do: str = ""


def examine() -> list[Finding]:
    """Device, versions, bundled models, data, the screen's packages and the person's folders."""
    device = choose_device("auto")
    remedy = (
        ""
        if device.torch_device.type != "cpu"
        else gpu_remedy() or "All works; training is faster with a GPU and a torch built for it."
    )
    where = device.torch_device
    findings = [
        Finding("device", True, device.reason, remedy),
        Finding("memory", True, f"{free(where) / 1e9:,.1f} GB free for models and images"),
        Finding("precision", True, precisions(where)),
    ]
    findings += [Finding(name, found != "missing", found) for name, found in versions().items()]
    findings += [_model(name) for name in MODELS]
    return [*findings, _mnist(), _films(), _screen(), _folder(paths.user_data())]


def _model(name: str) -> Finding:
    path = model_cards.bundled_folder() / f"{name}.safetensors"
    try:
        load_header(path)
    except BadFile as error:
        return Finding(f"model {name}", False, error.message, "Get the folder resources/models again.")
    return Finding(f"model {name}", True, str(path))


def _mnist() -> Finding:
    for root in usual_roots():
        try:
            with closing(datasets.loading("mnist", root)) as reading:
                next(reading)  # says that it begins to read, once all files are there
        except (DataUnavailable, BadFile):
            continue
        return Finding("MNIST", True, str(root))
    remedy = "The first training downloads it; or name a folder in NOISELOOM_DATA; or train on synthetic."
    return Finding("MNIST", False, "not on this machine yet", remedy)


def _films() -> Finding:
    encoder, reason = mp4.encoder()
    return Finding("MP4 films", not reason, encoder, reason and f"{reason} Choose GIF or WebP for those.")


def _screen() -> Finding:
    missing = [name for name in SCREEN if find_spec(name) is None]
    remedy = f"Install what the window needs: pip install {' '.join(missing)}" if missing else ""
    return Finding("window", not missing, f"{', '.join(missing)} missing" if missing else ", ".join(SCREEN), remedy)


def _folder(folder: Path) -> Finding:
    nearest = next(parent for parent in (folder, *folder.parents) if parent.exists())
    try:
        check_writable(nearest / "noiseloom")
    except CannotWrite as error:
        return Finding("own files", False, error.message, f"Set {paths.HOME_VARIABLE} to a folder you can write to.")
    return Finding("own files", True, str(folder))
