"""What `import usfast` costs and what the package says about itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import usfast

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "monai", "SimpleITK", "matplotlib", "scipy", "h5py", "pydicom", "typer", "rich")


@pytest.mark.parametrize(
    "module",
    [
        "usfast",
        "usfast.beamform",
        "usfast.borders",
        "usfast.compound",
        "usfast.confidence",
        "usfast.geometry",
        "usfast.io",
        "usfast.metrics",
        "usfast.phantom",
        "usfast.phantom.trajectories",
        "usfast.report",
        "usfast.simulate",
        "usfast.speckle",
        "usfast.tracking",
        "usfast.transforms",
    ],
)
def test_imports_stay_light(module: str) -> None:
    code = f"import sys, {module}; print([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_version_comes_from_one_place() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    version = re.search(r'^version = "(.+)"$', text, re.M)
    assert version is not None
    assert usfast.__version__ == version[1] == usfast.show_config()["version"]


def test_eigen_is_the_pinned_one() -> None:
    pinned = (ROOT / "third_party" / "eigen" / "VERSION").read_text().strip()
    assert usfast.show_config()["eigen"] == pinned


def test_unknown_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = usfast.nonsense
