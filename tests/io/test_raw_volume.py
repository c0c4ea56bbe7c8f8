"""Volumes written in parts, and mapped."""

import numpy as np
import pytest

from usfast import FormatError, Grid, Volume, io

GRID = Grid((7, 6, 5), (0.5, 0.7, 1.3), (-3.25, 1e-3, 1234.5), np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0.0]]))
DTYPES = ["u1", "i2", "u2", "i4", "f4", "f8"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".npy"])
def test_parts_become_the_volume(suffix, dtype, tmp_path):
    array = np.random.default_rng(0).integers(0, 100, GRID.shape).astype(dtype)
    array[3:, 4:, 5:] = 0  # never written
    path = tmp_path / f"volume{suffix}"
    with io.volume_parts(path, GRID, dtype) as parts:
        parts.put((0, 0, 0), array[:3])
        parts.put((3, 0, 0), array[3:, :4])
        parts.put((3, 4, 0), array[3:, 4:, :5])
    if suffix == ".npy":
        np.testing.assert_array_equal(np.load(path), array)
        return
    for volume in (io.map_volume(path), io.read_volume(path)):
        assert volume.array.dtype == array.dtype
        np.testing.assert_array_equal(volume.array, array)
        for name in ("spacing", "origin", "direction"):
            np.testing.assert_allclose(getattr(volume, name), getattr(GRID, name), rtol=0, atol=1e-12)


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd", ".nhdr"])
def test_map_what_itk_wrote(suffix, tmp_path):
    array = np.random.default_rng(1).random((4, 5, 6)).astype(np.float32)
    path = tmp_path / f"volume{suffix}"
    io.write_volume(Volume(array, 0.5, (1, 2, 3)), path, compress=False)
    volume = io.map_volume(path)
    np.testing.assert_array_equal(volume.array, array)
    assert not volume.array.flags.writeable
    io.write_volume(Volume(array, 0.5), path, compress=True)
    with pytest.raises(FormatError, match="compressed"):
        io.map_volume(path)


def test_a_failure_leaves_nothing(tmp_path):
    for suffix in (".mha", ".npy"):
        with pytest.raises(RuntimeError, match="stop"), io.volume_parts(tmp_path / f"v{suffix}", GRID, "f4"):
            raise RuntimeError("stop")
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(FormatError, match=r"in parts as \.mha"), io.volume_parts(tmp_path / "v.nii", GRID, "f4"):
        pass
    with pytest.raises(FormatError, match="float16"), io.volume_parts(tmp_path / "v.mha", GRID, "f2"):
        pass
    huge = Grid((10**5,) * 3, 1.0)
    with pytest.raises(OSError, match="are free"), io.volume_parts(tmp_path / "v.mha", huge, "f4"):
        pass
    assert not list(tmp_path.iterdir())
