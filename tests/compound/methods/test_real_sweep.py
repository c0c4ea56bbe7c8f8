"""The methods on a real sweep: voxels on a frame left out are close to that frame's own pixels."""

import numpy as np
import pytest

from usfast import io
from usfast.compound.methods import METHODS


@pytest.fixture(scope="module")
def spine(data_dir):
    path = data_dir / "tracked" / "plus_spine" / "SpinePhantomFreehand.igs.mha"
    config = data_dir / "tracked" / "igsio_recon_refs" / "NNMEAN_Config_VolumeReconstruction_SpinePhantom_NN_MEAN.xml"
    sweep = io.read_sweep(path, config=config)
    return sweep[np.flatnonzero(sweep.valid)]


@pytest.mark.parametrize(
    ("name", "options", "limit"),
    [
        ("voxel_nearest", {}, 10.5),
        ("inverse_distance", {}, 8.5),
        ("trajectory", {}, 7.0),
        ("squared_distance", {"radius": 1.9}, 9.5),
        ("adaptive", {"radius": 1.9}, 9.5),
        ("median", {"radius": 1.9}, 9.5),
    ],
)
def test_leave_one_frame_out(spine, name, options, limit):
    """Mean error in grey levels; frames lie 1.6 mm apart. Coupé's method is the closest, as its paper finds."""
    left_out = len(spine) // 2
    others = np.delete(np.arange(len(spine)), left_out)
    spacing = float(np.linalg.norm(spine.image_to_world[0, :3, 0])) * 4
    # A grid in the plane of the frame left out, every fourth pixel.
    height, width = spine.image_size
    grid_from_image = np.diag([0.25, 0.25, 1 / spacing, 1.0])
    plane = spine.image_to_world[left_out].copy()
    normal = np.cross(plane[:3, 0], plane[:3, 1])
    plane[:3, 2] = normal / np.linalg.norm(normal)
    image_to_voxel = (grid_from_image @ np.linalg.inv(plane) @ spine.image_to_world[others])[:, :3]
    volume, weight = METHODS[name](
        spine.frames, others, np.ascontiguousarray(image_to_voxel), (width // 4, height // 4, 1),
        spacing=np.full(3, spacing), mask=None, importance=None, num_threads=2, progress=None, **options,
    )  # fmt: skip
    truth = spine.frames[left_out, : height // 4 * 4 : 4, : width // 4 * 4 : 4].astype(np.float64)
    known = weight[0] > 0
    assert known.mean() > 0.95
    error = np.abs(volume[0][known] - truth[known]).mean()
    assert error < limit
