"""compat="plus" against the reference volumes that IGSIO publishes with its tests: every voxel, bit for bit."""

import numpy as np
import pytest
import SimpleITK as sitk

from usfast import Sweep, io
from usfast.compound import compound

CONFIGS = {
    "NNLATE": "NNLATE_Config_VolumeReconstruction_SonixRP_TRUS_D70mm_NN_LATE.xml",
    "NNMEAN": "NNMEAN_Config_VolumeReconstruction_SpinePhantom_NN_MEAN.xml",
    "LNLATE": "LNLATE_Config_VolumeReconstruction_SpinePhantom_LN_LATE.xml",
    "LNMAXI": "LNMAXI_Config_VolumeReconstruction_SpinePhantom_LN_MAXI.xml",
}


def spine_sweep(data_dir, name):
    """The sweep that a reference volume was made from."""
    path = data_dir / "tracked" / "plus_spine" / "SpinePhantomFreehand.igs.mha"
    sweep = io.read_sweep(path, config=data_dir / "tracked" / "igsio_recon_refs" / CONFIGS[name])
    if name != "LNLATE":
        return sweep
    # IGSIO's float recording: images of frames 1, 2, 3 with the transforms of frames 0, 1, 2.
    return Sweep(sweep.frames[1:4].astype(np.float32), sweep.image_to_world[:3])


@pytest.mark.parametrize("name", CONFIGS)
def test_every_voxel_equals_the_reference_volume(data_dir, name):
    folder = data_dir / "tracked" / "igsio_recon_refs"
    reference = sitk.ReadImage(folder / f"VolumeReconstructorTest{name}volumeRef.mha")
    expected = sitk.GetArrayFromImage(reference)
    result = compound(spine_sweep(data_dir, name), config=folder / CONFIGS[name], compat="plus")
    assert result.volume.array.dtype == expected.dtype
    assert result.volume.array.shape == expected.shape
    np.testing.assert_allclose(result.volume.origin, reference.GetOrigin(), rtol=5e-6)  # six digits
    np.testing.assert_array_equal(result.volume.spacing, reference.GetSpacing())
    np.testing.assert_array_equal(result.volume.array, expected)


@pytest.mark.parametrize("name", ["NNMEAN", "LNMAXI"])
def test_bits_do_not_depend_on_threads(data_dir, name):
    config = data_dir / "tracked" / "igsio_recon_refs" / CONFIGS[name]
    sweep = spine_sweep(data_dir, name)[:6]
    runs = [compound(sweep, config=config, compat="plus", num_threads=n) for n in (1, 2, 3, 8)]
    assert len({r.volume.array.tobytes() + r.weight.tobytes() for r in runs}) == 1
