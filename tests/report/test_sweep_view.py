from pathlib import Path

import numpy as np
import pytest

from usfast import GeometryError, Grid, Sweep, Volume
from usfast.report import save_figure, sweep_figure


def _sweep(count: int, valid: bool = True) -> Sweep:
    poses = np.tile(np.diag([0.3, 0.2, 0.3, 1.0]), (count, 1, 1))
    poses[:, 2, 3] = np.arange(count)
    frames = np.random.default_rng(0).integers(0, 255, (count, 20, 30), np.uint8)
    return Sweep(frames, poses, valid=np.full(count, valid))


@pytest.mark.parametrize("count", [1, 2, 300])
def test_draws_sweeps_of_any_length(count: int, tmp_path: Path) -> None:
    sweep = _sweep(count)
    grid = Grid.enclosing(sweep, 1.0)
    volume = Volume.on(grid, np.ones(grid.shape, np.float32))
    save_figure(sweep_figure(sweep, volume, volume.array > 0, title="sweep"), tmp_path / "a.png", dpi=50)
    assert (tmp_path / "a.png").stat().st_size > 1000


def test_no_valid_frame() -> None:
    with pytest.raises(GeometryError, match="none of the 3 frames"):
        sweep_figure(_sweep(3, valid=False), Volume(np.zeros((2, 2, 2)), 1.0))
