"""The bill of materials of a packaged program (CycloneDX 1.6): every package inside, with version and licence."""

import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ml import __version__
from ml.system.files import atomic

FILE = "noiseloom.cdx.json"
Part = tuple[str, str, str]  # name, version, licence as the package says it


def write(path: Path, parts: Iterable[Part]) -> None:
    """Write the bill for these parts, and for the Python that runs them; raises CannotWrite."""
    program = {"type": "application", "name": "noiseloom", "version": __version__, "bom-ref": "noiseloom"}
    components = [_component(*part) for part in parts]
    components.append(
        {"type": "platform", "name": "Python", "version": platform.python_version(), "bom-ref": "python",
         "licenses": [{"license": {"name": "PSF-2.0"}}]}
    )  # fmt: skip
    bill: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": program},
        "components": components,
        "dependencies": [{"ref": "noiseloom", "dependsOn": [part["bom-ref"] for part in components]}],
    }
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(bill, indent=1), encoding="utf-8")


def names(path: Path) -> list[str]:
    """The packages in a bill."""
    return [part["name"] for part in json.loads(path.read_text(encoding="utf-8"))["components"]]


def _component(name: str, version: str, licence: str) -> dict[str, Any]:
    known_as = name.lower().replace("_", "-").replace(".", "-")
    address = f"pkg:pypi/{known_as}@{version.replace('+', '%2B')}"
    licences = [{"license": {"name": licence[:200]}}]
    return {
        "type": "library", "name": name, "version": version, "purl": address, "bom-ref": address, "licenses": licences
    }  # fmt: skip
