"""The table of export formats. A new one is a file with its writer and readers, and a row here."""

from pathlib import Path

from ml.errors import BadRequest
from ml.export import animation, mp4, npz, png, svg
from ml.export.base import Format, Loss

FORMATS: dict[str, Format] = {
    row.suffix: row
    for row in (
        Format(".png", "PNG", "picture", png.write, png.read_metadata, png.read_pixels),
        Format(".svg", "SVG", "sheet", svg.write, svg.read_metadata, svg.read_pixels),
        Format(".npz", "NPZ", "arrays", npz.write, npz.read_metadata, npz.read_pixels),
        Format(
            ".mp4",
            "MP4",
            "film",
            mp4.write,
            mp4.read_metadata,
            mp4.read_pixels,
            max_side=4096,  # what the usual players can hold
            loss=Loss(10, "an MP4 keeps no exact pixels", even_sides=True),
        ),
        Format(
            ".gif",
            "GIF",
            "film",
            animation.write_gif,
            png.read_metadata,
            png.read_pixels,
            max_side=65_535,
            loss=Loss(16, "a GIF keeps no more than 256 colours", keeps_grey=True),
        ),
        Format(".webp", "WebP", "film", animation.write_webp, png.read_metadata, png.read_pixels, max_side=16_383),
        Format(".apng", "APNG", "film", animation.write_apng, png.read_metadata, png.read_pixels),
    )
}


def format_of(path: Path | str) -> Format:
    """The format that the suffix of a path names; raises BadRequest naming those there are."""
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        found = f"as {suffix} files" if suffix else "without a suffix"
        raise BadRequest(f"{Path(path).name}: cannot write {found}.", f"Use one of {', '.join(FORMATS)}.")
    return FORMATS[suffix]
