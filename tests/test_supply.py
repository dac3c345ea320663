"""What the program is made of: the bill of materials, and whether a part of it is known to be vulnerable."""

import json
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy
import PIL
import pytest

from desktop_app.packaging import sbom
from desktop_app.packaging.build import licences
from tests.patience import WAIT_S

REPO = Path(__file__).resolve().parent.parent


def test_the_bill_names_every_package_that_brought_a_file(tmp_path: Path) -> None:
    files = [str(numpy.__file__), str(PIL.__file__)]
    copies = licences(files, tmp_path / "CONTENTS.txt")
    path = tmp_path / sbom.FILE
    assert (str(path), "licences") in copies
    found = json.loads(path.read_text(encoding="utf-8"))
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.6")
    assert sbom.names(path) == ["numpy", "pillow", "Python"]
    first = found["components"][0]
    assert first["version"] == metadata.version("numpy") and first["licenses"][0]["license"]["name"]
    assert first["purl"] == f"pkg:pypi/numpy@{first['version']}"
    references = {part["bom-ref"] for part in found["components"]}
    assert len(references) == 3 and set(found["dependencies"][0]["dependsOn"]) == references


def test_a_part_has_the_address_under_which_others_know_it(tmp_path: Path) -> None:
    path = tmp_path / sbom.FILE
    sbom.write(path, [("Open_CLIP.torch", "3.0+cpu", "MIT " * 100)])
    found = json.loads(path.read_text(encoding="utf-8"))
    part, python = found["components"]
    assert part["purl"] == "pkg:pypi/open-clip-torch@3.0%2Bcpu" and part["name"] == "Open_CLIP.torch"
    assert len(part["licenses"][0]["license"]["name"]) == 200
    assert found["dependencies"] == [{"ref": "noiseloom", "dependsOn": [part["purl"], python["bom-ref"]]}]
    assert found["metadata"]["component"]["bom-ref"] == "noiseloom"


@pytest.mark.slow
def test_no_pinned_version_is_known_to_be_vulnerable() -> None:
    if find_spec("pip_audit") is None:
        pytest.skip("pip-audit is not installed")
    command = [
        sys.executable,
        "-m",
        "pip_audit",
        "--no-deps",
        "--disable-pip",
        "--progress-spinner",
        "off",
        "-f",
        "json",
    ]
    done = subprocess.run([*command, "-r", "constraints.txt"], cwd=REPO, capture_output=True, text=True, timeout=WAIT_S)
    if not done.stdout.startswith("{"):
        pytest.skip(f"the list of vulnerabilities cannot be reached: {done.stderr[-200:]}")
    wrong = [part for part in json.loads(done.stdout)["dependencies"] if part.get("vulns")]
    assert not wrong, "\n".join(f"{part['name']} {part['version']}: {part['vulns'][0]['id']}" for part in wrong)
