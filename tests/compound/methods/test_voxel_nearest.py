"""voxel_nearest against the NumPy reference."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import projections as reference
from reference.interpolation_sweeps import parallel_sweep, sweeps

from usfast.compound.methods import voxel_nearest


@settings(max_examples=30, deadline=None)
@given(case=sweeps(), max_distance=st.sampled_from([0.4, 1.0, 3.0, 50.0]))
def test_matches_reference(case, max_distance):
    arrays, keywords = case
    found = voxel_nearest(*arrays, **keywords, max_distance=max_distance, num_threads=2, progress=None)
    expected = reference.voxel_nearest(*arrays, **keywords, max_distance=max_distance)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_nearest_frame_and_ties():
    """Frames at 2, 4.5, 7 ... voxels: plane 3 is nearest to the first, and of frames alike the first wins."""
    arrays, keywords = parallel_sweep(lambda u, v, i: 10 * (i + 1))
    volume, weight = voxel_nearest(*arrays, **keywords, num_threads=1, progress=None)
    assert volume[:8, 3, 3].tolist() == [10, 10, 10, 10, 20, 20, 30, 30]
    assert set(np.unique(weight)) == {0, 1}
    arrays[2][1, 2, 3] = arrays[2][0, 2, 3] = 3
    volume, _ = voxel_nearest(*arrays, **keywords, num_threads=1, progress=None)
    assert volume[3, 3, 3] == 10


def test_a_masked_pixel_gives_way_to_the_next_frame():
    arrays, keywords = parallel_sweep(lambda u, v, i: 10 * (i + 1))
    arrays[0][0, 3, 3] = np.nan
    volume, _ = voxel_nearest(*arrays, **keywords, num_threads=1, progress=None, max_distance=2.0)
    assert volume[2, 3, 3] == 20
    assert volume[2, 3, 4] == 10
