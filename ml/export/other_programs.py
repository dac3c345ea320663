"""Other image programs: the text that they show of a picture of ours, and which of them made a picture."""

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from ml.config import NO_LABEL, SampleRequest
from ml.export.metadata import Layout, Unstamped
from ml.imaging.safe_open import OTHER_FILE
from ml.specs import SAMPLERS
from ml.system.versions import versions
from ml.text.class_names import label_text

if TYPE_CHECKING:
    from PIL import Image

PARAMETERS = "parameters"  # the text chunk of AUTOMATIC1111's web UI, which most programs show
SAMPLER_NAMES = {"dpm++": "DPM++ 2M"}  # there; other names are as here
HASH_DIGITS = 10
EXIF, USER_COMMENT = 0x8769, 0x9286  # where a JPEG or WebP has that text

# Text chunks by which a program is known. ComfyUI's nodes can write the `parameters` of AUTOMATIC1111 too.
CHUNKS = (
    ("InvokeAI", ("invokeai_metadata", "invokeai_graph", "invokeai_workflow", "sd-metadata", "Dream")),
    ("ComfyUI", ("workflow", "prompt")),
    ("AUTOMATIC1111", (PARAMETERS,)),
)


def parameters(request: SampleRequest, layout: Layout, side: int) -> str:
    """The prompt and the settings of a request whose images are `side` pixels wide, as AUTOMATIC1111 writes them."""
    labels = dict.fromkeys(label for label in request.labels if label != NO_LABEL)
    prompt = request.prompt or ", ".join(label_text(label, layout.classes) for label in labels)
    settings: dict[str, object] = {
        "Steps": request.steps,
        "Sampler": SAMPLER_NAMES.get(request.sampler, SAMPLERS[request.sampler].title),
        **({"Schedule type": "Karras"} if request.spacing == "karras" else {}),
        "CFG scale": f"{request.guidance:g}",
        "Seed": request.seed_of(0),
        "Size": f"{side}x{side}",
        "Model hash": request.model_hash[:HASH_DIGITS],
        "Model": Path(request.model).stem,
        **({"Batch size": len(request.labels)} if len(request.labels) > 1 else {}),
        "Version": f"Noiseloom {versions()['noiseloom']}",
    }
    line = ", ".join(f"{name}: {_quoted(str(value))}" for name, value in settings.items() if value != "")
    return f"{' '.join(prompt.split())}\n{line}"


def refuse_foreign(path: Path, image: "Image.Image") -> None:
    """Raises Unstamped, naming the program, where another image program made the picture."""
    if program := maker(image):
        why = "its model isn't one of Noiseloom's"
        raise Unstamped(f"{path.name} was made with {program}, and can't be generated again here: {why}.", OTHER_FILE)


def maker(image: "Image.Image") -> str:
    """The program that made a picture, "" where it does not say."""
    for program, chunks in CHUNKS:
        if any(isinstance(image.info.get(chunk), str) for chunk in chunks):
            return program
    if image.format in ("JPEG", "WEBP"):
        with suppress(Exception):  # damaged metadata name no program
            comment = image.getexif().get_ifd(EXIF).get(USER_COMMENT, b"")
            text = comment if isinstance(comment, bytes) else str(comment).encode("latin-1", "replace")
            if b"Steps: " in text.replace(b"\0", b""):  # in UTF-8 or UTF-16
                return "AUTOMATIC1111"
    return ""


def _quoted(value: str) -> str:
    """A value, in quotes where a comma, a colon or a new line would end it."""
    return json.dumps(value, ensure_ascii=False) if any(sign in value for sign in ",:\n") else value
