import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from reference.speckle_field import SpeckleField

from usfast import Sweep, io
from usfast.speckle import read_calibration

Run = Callable[..., Any]
GRID = ("--patch", "32", "--grid", "2,3", "--window", "10")


@pytest.fixture(scope="module")
def tracked() -> Sweep:
    """Thirty simulated frames of 64 x 96 pixels of 0.1 mm, 0.2 mm apart."""
    field = SpeckleField((64, 96), 6.0, 1.2, seed=2)
    poses = np.tile(np.diag([0.1, 0.1, 0.1, 1.0]), (30, 1, 1))
    poses[:, 2, 3] = np.arange(30) * 0.2
    return Sweep(np.stack([field.bmode(z, 25) for z in poses[:, 2, 3]]), poses, timestamps=np.arange(30) / 10)


@pytest.fixture
def file(tmp_path: Path, tracked: Sweep) -> Path:
    path = tmp_path / "sweep.npz"
    io.write_sweep(tracked, path)
    return path


def test_curves(usfast: Run, file: Path, tmp_path: Path) -> None:
    result = usfast(
        "speckle", "curves", file, "-o", tmp_path / "c.png", *GRID, "--calibration-out", tmp_path / "c.json"
    )
    assert result.exit_code == 0, result.output
    assert "in 2 of 2 rows of patches" in result.output
    assert iio.imread(tmp_path / "c.png").ndim == 3
    np.testing.assert_allclose(read_calibration(tmp_path / "c.json").sigma_mm, 1.2, rtol=0.25)
    result = usfast("speckle", "curves", file, "-o", tmp_path / "c.csv", *GRID, "--bins", "5")
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((tmp_path / "c.csv").read_text().splitlines()))
    assert len(rows) == 10
    assert abs(float(rows[0]["mean"]) - float(rows[0]["model"])) < 0.15


@pytest.mark.parametrize("name", ["t.igs.mha", "t.npz", "t.h5"])
def test_track_with_a_part_as_calibration(usfast: Run, file: Path, tmp_path: Path, name: str) -> None:
    result = usfast("speckle", "track", file, "--calibrate", "0,14", "-o", tmp_path / name, *GRID)
    assert result.exit_code == 0, result.output
    assert "15 tracked" in result.output and "2.8 mm of path" in result.output
    assert len(io.read_sweep(tmp_path / name)) == 15


def test_track_with_a_calibration_file(usfast: Run, file: Path, tmp_path: Path) -> None:
    usfast("speckle", "curves", file, "-o", tmp_path / "c.csv", *GRID, "--calibration-out", tmp_path / "c.json")
    result = usfast(
        "speckle", "track", file, "--calibration", tmp_path / "c.json", "-o", tmp_path / "t.npz", *GRID,
        "--backwards", "--motion", "translation", "--in-plane", "--figure", tmp_path / "t.png",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    sweep = io.read_sweep(tmp_path / "t.npz")
    assert sweep.image_to_world[-1, 2, 3] == pytest.approx(-5.8, rel=0.1)
    assert iio.imread(tmp_path / "t.png").ndim == 3
    wrong = usfast("speckle", "track", file, "--calibration", tmp_path / "c.json", "-o", tmp_path / "u.npz")
    assert wrong.exit_code == 2
    assert "calibration is for a grid of 2 x 3" in wrong.output


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["curves", "-o", "c.xyz"], "must end in"),
        (["curves", "-o", "c.png", "--calibration-out", "c.txt"], "must end in .json"),
        (["curves", "-o", "c.png", "--patch", "1.5"], "whole numbers"),
        (["curves", "-o", "c.png", "--patch", "100", "--grid", "2,3"], "does not fit an image"),
        (["curves", "-o", "c.png", *GRID, "--model", "gauss"], "model must be one of"),
        (["track", "-o", "t.npz"], "one of them"),
        (["track", "-o", "t.npz", "--calibration", "c.json", "--model", "log"], "leave out --model"),
        (["track", "-o", "t.npz", "--calibration", "c.json"], "c.json"),
        (["track", "-o", "t.npz", "--calibrate", "0,28", *GRID], "must be left to track"),
        (["track", "-o", "t.npz", "--calibrate", "5", *GRID], "first,last"),
        (["track", "-o", "t.npz", "--calibrate", "0,9", *GRID, "--motion", "loop"], "motion must be"),
        (["track", "-o", "t.npz", "--calibrate", "0,9", *GRID, "--lags", "5"], "lags must be"),
    ],
)
def test_refusals(
    usfast: Run, file: Path, tmp_path: Path, options: list[str], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = usfast("speckle", options[0], file, *options[1:])
    assert result.exit_code == 2, result.output
    assert words in result.output
    assert {path.name for path in tmp_path.iterdir()} == {"sweep.npz"}
