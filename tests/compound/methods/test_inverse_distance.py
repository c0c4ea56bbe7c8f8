"""inverse_distance against the NumPy reference."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import projections as reference
from reference.interpolation_sweeps import parallel_sweep, sweeps

from usfast.compound.methods import inverse_distance


@settings(max_examples=30, deadline=None)
@given(case=sweeps(), max_distance=st.sampled_from([0.4, 1.0, 3.0, 50.0]))
def test_matches_reference(case, max_distance):
    arrays, keywords = case
    found = inverse_distance(*arrays, **keywords, max_distance=max_distance, num_threads=2, progress=None)
    expected = reference.inverse_distance(*arrays, **keywords, max_distance=max_distance)
    np.testing.assert_array_equal(found[1] > 0, expected[1] > 0)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_keeps_linear_ramps():
    arrays, keywords = parallel_sweep(lambda u, v, i: 3 * u - 2 * v + 5 * (2 + 2.5 * i))
    arrays[2][:, 0, 3] = 0.3  # between pixels
    volume, weight = inverse_distance(*arrays, **keywords, num_threads=1, progress=None)
    z, y, x = np.meshgrid(*(np.arange(n) for n in volume.shape), indexing="ij")
    inner = np.s_[2:19, :, 1:]
    np.testing.assert_allclose(volume[inner], (3 * (x - 0.3) - 2 * y + 5 * z)[inner], atol=1e-4)
    np.testing.assert_allclose(weight[inner], 1, rtol=1e-6)


def test_on_a_frame_and_beyond_the_last():
    arrays, keywords = parallel_sweep(lambda u, v, i: 10 * (i + 1))
    arrays[2][:, 2, 3] = 2 + 3 * np.arange(8)
    volume, _ = inverse_distance(*arrays, **keywords, num_threads=1, progress=None)
    np.testing.assert_allclose(volume[:9, 3, 3], [10, 10, 10, 40 / 3, 50 / 3, 20, 70 / 3, 80 / 3, 30], rtol=1e-6)
