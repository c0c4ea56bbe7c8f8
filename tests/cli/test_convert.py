from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from usfast import Sweep, Volume, io

Run = Callable[..., Any]


@pytest.mark.parametrize("name", ["b.npz", "b.h5", "b.igs.nrrd", "b.igs.mhd", "b.mha", "folder"])
def test_sweeps(usfast: Run, sweep_file: Path, small_sweep: Sweep, tmp_path: Path, name: str) -> None:
    result = usfast("convert", sweep_file, tmp_path / name)
    assert result.exit_code == 0, result.output
    assert "8 frames of 32 x 24 pixels" in result.output
    again = io.read_sweep(tmp_path / name)
    np.testing.assert_array_equal(again.frames, small_sweep.frames)
    np.testing.assert_array_equal(again.valid, small_sweep.valid)
    np.testing.assert_allclose(again.image_to_world[again.valid], small_sweep.image_to_world[small_sweep.valid])


@pytest.mark.parametrize("name", ["b.mha", "b.nii.gz", "b.mhd", "b.nhdr"])
def test_volumes(usfast: Run, tmp_path: Path, name: str) -> None:
    array = np.random.default_rng(0).random((4, 5, 6), np.float32)
    io.write_volume(Volume(array, (0.5, 0.6, 0.7), (1, 2, 3)), tmp_path / "a.nrrd")
    result = usfast("convert", tmp_path / "a.nrrd", tmp_path / name)
    assert result.exit_code == 0, result.output
    again = io.read_volume(tmp_path / name)
    np.testing.assert_array_equal(again.array, array)
    np.testing.assert_allclose(again.spacing, (0.5, 0.6, 0.7))


def test_content_decides_not_the_name(usfast: Run, sweep_file: Path, tmp_path: Path) -> None:
    plain = sweep_file.rename(tmp_path / "plain.mha")
    assert usfast("convert", plain, tmp_path / "b.npz").exit_code == 0
    assert len(io.read_sweep(tmp_path / "b.npz")) == 8


@pytest.mark.parametrize("out", ["b.nii.gz", "b.xyz", "nowhere/b.npz", "sweep.igs.mha"])
def test_refusals(usfast: Run, sweep_file: Path, tmp_path: Path, out: str) -> None:
    result = usfast("convert", sweep_file, tmp_path / out)
    assert result.exit_code == 2
    assert result.output.count("\n") == 1
    assert [file.name for file in tmp_path.iterdir()] == ["sweep.igs.mha"]


def test_nothing_is_dropped_silently(usfast: Run, small_sweep: Sweep, tmp_path: Path) -> None:
    labels = np.ones(small_sweep.frames.shape, np.uint8)
    io.write_sweep(replace(small_sweep, labels=labels), tmp_path / "a.npz")
    result = usfast("convert", tmp_path / "a.npz", tmp_path / "b.igs.mha")
    assert result.exit_code == 2
    assert "labels" in result.output
    assert str(tmp_path / "b.igs.mha") in result.output, "the target's name, not the draft's"
