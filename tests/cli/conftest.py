"""A small sweep on disk, and a way to call the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from usfast import Sweep, io


@pytest.fixture
def usfast() -> Callable[..., object]:
    """Run `usfast ARGS...` in this process; the result has exit_code and output."""
    from usfast.cli.app import app

    def run(*args: object) -> object:
        return CliRunner().invoke(app, [str(arg) for arg in args])

    return run


@pytest.fixture(scope="session")
def small_sweep() -> Sweep:
    """Eight frames of 24 x 32 pixels of 0.5 mm, one a millimetre; frame 5 has no valid pose."""
    rng = np.random.default_rng(7)
    poses = np.tile(np.diag([0.5, 0.5, 0.5, 1.0]), (8, 1, 1))
    poses[:, 2, 3] = np.arange(8)
    valid = np.arange(8) != 5
    frames = rng.integers(0, 256, (8, 24, 32), np.uint8)
    return Sweep(frames, poses, timestamps=np.arange(8) / 10, valid=valid)


@pytest.fixture
def sweep_file(tmp_path: Path, small_sweep: Sweep) -> Path:
    """The small sweep as a PLUS sequence."""
    path = tmp_path / "sweep.igs.mha"
    io.write_sweep(small_sweep, path)
    return path
