"""The examples in docstrings and in the documents hold."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

import usfast

ROOT = Path(__file__).parents[1]
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(usfast.__path__, "usfast.")
    if not module.name.startswith("usfast._core")
)
NEED_TORCH = ("usfast.simulate.differentiable", "differentiable.md")
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def skip_without_torch(name: str) -> None:
    if name.startswith(NEED_TORCH):
        pytest.importorskip("torch", reason='needs torch: pip install "usfast[learn]"')


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_torch(name)
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_torch(document.name)
    monkeypatch.chdir(tmp_path)
    assert doctest.testfile(str(document), module_relative=False).failed == 0
