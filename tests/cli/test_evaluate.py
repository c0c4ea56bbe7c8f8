"""`usfast evaluate` on files and folders, and on what is wrong with them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from usfast import Volume, io, metrics


@pytest.fixture
def study(tmp_path: Path) -> tuple[Path, Path]:
    """Folders of three segmentations and their references: labels 1 and 2, spacing 1 x 1 x 2 mm."""
    folders = tmp_path / "pred", tmp_path / "ref"
    for folder in folders:
        folder.mkdir()
    for number in range(3):
        labels = np.zeros((12, 20, 24), np.uint8)
        labels[3:9, 3:10, 4:20] = 1
        labels[3:9, 12:18, 4:20] = 2
        io.write_volume(Volume(labels, (1.0, 1.0, 2.0)), folders[1] / f"case{number}.nrrd")
        io.write_volume(Volume(np.roll(labels, number, axis=2), (1.0, 1.0, 2.0)), folders[0] / f"case{number}.nrrd")
    return folders


def test_a_study(usfast: Callable[..., Any], study: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "report"
    run = usfast("evaluate", *study, "--classes", "1=GM,2=GL", "--tolerance", "1,2", "-o", out)
    assert run.exit_code == 0, run.output
    assert "case2" in run.output and "GL" in run.output and "nsd_2mm" in run.output
    rows = list(csv.DictReader((out / "metrics.csv").read_text().splitlines()))
    assert [(row["case"], row["label"], row["name"]) for row in rows[:2]] == [
        ("case0", "1", "GM"),
        ("case0", "2", "GL"),
    ]
    pred, ref = (io.read_volume(folder / "case2.nrrd") for folder in study)
    expected = metrics.surface(pred, ref, labels=[2])[2]
    assert float(rows[5]["assd"]) == pytest.approx(expected.assd)
    found = json.loads((out / "metrics.json").read_text())
    assert found["definition"]["definition"] == "voxel" and len(found["results"]) == 6
    for name in ("violins.png", "surface-case0.png", "surface-case1.png", "surface-case2.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")


def test_two_files(usfast: Callable[..., Any], study: tuple[Path, Path]) -> None:
    files = [folder / "case1.nrrd" for folder in study]
    run = usfast("evaluate", *files, "--preset", "deepmind")
    assert run.exit_code == 0 and run.output.count("case1") == 2
    run = usfast("evaluate", *files, "--classes", "2", "--spacing", "5,1,1", "--definition", "surfel")
    assert run.exit_code == 0 and run.output.count("case1") == 1


def test_masks_and_empty_segmentations(usfast: Callable[..., Any], tmp_path: Path) -> None:
    mask = np.zeros((5, 6, 7), np.uint8)
    io.write_volume(Volume(mask, 1.0), tmp_path / "empty.nrrd")
    mask[1:4, 1:4, 1:4] = 1
    io.write_volume(Volume(mask, 1.0), tmp_path / "mask.nrrd")
    io.write_volume(Volume(mask.astype(np.float32), 1.0), tmp_path / "float.nrrd")
    run = usfast("evaluate", tmp_path / "empty.nrrd", tmp_path / "mask.nrrd", "-o", tmp_path / "report")
    assert run.exit_code == 0 and "inf" in run.output
    assert json.loads((tmp_path / "report" / "metrics.json").read_text())["results"][0]["hd"] == "inf"
    assert usfast("evaluate", tmp_path / "float.nrrd", tmp_path / "mask.nrrd").exit_code == 0
    run = usfast("evaluate", tmp_path / "empty.nrrd", tmp_path / "empty.nrrd")
    assert run.exit_code == 0 and "-" in run.output  # nothing to compare: no number, and no error
    run = usfast("evaluate", tmp_path / "empty.nrrd", tmp_path / "empty.nrrd", "--classes", "all")
    assert run.exit_code == 2 and "holds a label" in run.output


def test_what_cannot_be_measured(usfast: Callable[..., Any], study: tuple[Path, Path], tmp_path: Path) -> None:
    pred, ref = study
    array = np.full((12, 20, 24), 0.5, np.float32)
    io.write_volume(Volume(array, (1.0, 1.0, 2.0)), tmp_path / "probability.nrrd")
    io.write_volume(Volume(array[:5] > 1, (1.0, 1.0, 2.0)), tmp_path / "short.nrrd")
    io.write_volume(Volume((array > 0).astype(np.uint8), (1.0, 1.5, 2.0)), tmp_path / "stretched.nrrd")
    (tmp_path / "rubbish.nrrd").write_bytes(b"NRRD0004\nnonsense")
    (tmp_path / "nothing").mkdir()
    file = ref / "case0.nrrd"
    for arguments, message in (
        ((tmp_path / "none.nrrd", file), "no such file"),
        ((pred, file), "both be files or both be folders"),
        ((tmp_path / "nothing", ref), "no volume in this folder"),
        ((tmp_path / "probability.nrrd", file), "threshold probabilities"),
        ((tmp_path / "short.nrrd", file), "voxels (x, y, z), but ref"),
        ((tmp_path / "stretched.nrrd", file), "not lie on one grid: spacing"),
        ((tmp_path / "rubbish.nrrd", file), "rubbish.nrrd"),
        ((file, file, "--classes", "GM"), "--classes must be"),
        ((file, file, "--tolerance", "x"), "--tolerance must be"),
        ((file, file, "--percentile", "120"), "between 0 and 100"),
        ((file, file, "--spacing", "1,1"), "--spacing must be z,y,x"),
    ):
        run = usfast("evaluate", *arguments)
        assert run.exit_code == 2 and message in run.output and run.output.count("\n") == 1, run.output
    (pred / "case1.nrrd").unlink()
    run = usfast("evaluate", pred, ref)
    assert run.exit_code == 2 and "no partner of case1.nrrd" in run.output
