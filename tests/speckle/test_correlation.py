"""correlate_pairs against float64 NumPy, and its determinism."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import speckle as reference

from usfast.speckle.correlation import correlate_pairs
from usfast.speckle.patches import PatchGrid

few = settings(max_examples=40, deadline=None)

DIGESTS = """
import hashlib
import numpy as np
from usfast.speckle.correlation import correlate_pairs
from usfast.speckle.inplane import track_patches
from usfast.speckle.patches import PatchGrid
rng = np.random.default_rng(5)
frames = rng.integers(0, 256, (9, 50, 70)).astype(np.uint8)
for size in ((32, 32), (7, 5), (2, 2), (16, 63)):
    patches = PatchGrid.regular((50, 70), size, (3, 4))
    motion = track_patches(frames, patches, search=3)
    parts = correlate_pairs(frames, patches, 6), correlate_pairs(frames.astype(np.float32), patches, 6)
    parts += motion.shift, motion.correlation, motion.rim
    print(hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest())
"""


@st.composite
def cases(draw):
    """(frames, patches, window): noise, sometimes alike, with constant patches among them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(2, 12))
    height, width = draw(st.integers(2, 40)), draw(st.integers(2, 40))
    size = draw(st.integers(2, height)), draw(st.integers(2, width))
    many = draw(st.integers(1, 7))
    corners = np.stack(
        [rng.integers(0, room - length + 1, many) for room, length in zip((height, width), size, strict=True)], 1
    )
    low, high = draw(st.sampled_from([(0, 256), (254, 256), (7, 8), (0, 2)]))
    frames = rng.integers(low, high, (count, height, width)).astype(np.uint8)
    if draw(st.booleans()):
        frames[:, : height // 2, : width // 2] = 255
    return frames, PatchGrid(corners, size), draw(st.sampled_from([1, 2, 3, 5, 20]))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@few
@given(case=cases())
def test_matches_reference(dtype, case):
    frames, patches, window = case
    frames = frames.astype(dtype)
    found = correlate_pairs(frames, patches, window, num_threads=1)
    expected = reference.correlate_pairs(frames, patches.corners, patches.size, window)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    assert not (np.abs(found) > 1).any()


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@few
@given(case=cases())
def test_bits_do_not_depend_on_threads(dtype, case):
    frames, patches, window = case
    runs = [correlate_pairs(frames.astype(dtype), patches, window, num_threads=n) for n in (1, 2, 3, 8)]
    assert len({run.tobytes() for run in runs}) == 1


def test_bits_do_not_depend_on_the_instruction_set():
    digests = set()
    for level in ("baseline", "x86-64-v3", ""):
        environment = {**os.environ, "USFAST_ISA": level, "PYTHONPATH": os.pathsep.join(sys.path)}
        run = subprocess.run([sys.executable, "-c", DIGESTS], env=environment, capture_output=True, check=True)
        digests.add(hashlib.sha256(run.stdout).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("size", [(128, 256), (256, 128), (2, 16384)])
def test_the_largest_patch_does_not_overflow(size):
    rng = np.random.default_rng(1)
    frames = np.where(rng.random((3, *size)) < 1e-4, 254, 255).astype(np.uint8)
    patches = PatchGrid([[0, 0]], size)
    expected = reference.correlate_pairs(frames, patches.corners, patches.size, 2)
    np.testing.assert_allclose(correlate_pairs(frames, patches, 2), expected, rtol=0, atol=1e-6)


def test_many_frames_are_split_and_joined_right():
    rng = np.random.default_rng(2)
    frames = np.cumsum(rng.integers(-9, 10, (400, 20, 90)), axis=0).astype(np.uint8)
    patches = PatchGrid.regular((20, 90), (8, 8), (2, 11))
    found = correlate_pairs(frames, patches, 70)
    chosen = [0, 1, 255, 256, 257, 330, 398]
    for i in chosen:
        part = frames[i : i + 71]
        np.testing.assert_array_equal(found[i, : len(part) - 1], correlate_pairs(part, patches, 70)[0, : len(part) - 1])
    assert np.isnan(found[399]).all()
    assert np.isnan(found[398, 1:]).all()


def test_gain_and_offset_do_not_matter():
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 100, (2, 32, 32)).astype(np.uint8)
    frames[1] = 2 * frames[0] + 9
    patches = PatchGrid.regular((32, 32))
    assert correlate_pairs(frames, patches, 1)[0, 0, 0] == 1
    frames[1] = 250 - frames[0]
    assert correlate_pairs(frames, patches, 1)[0, 0, 0] == -1


def test_values_that_are_no_numbers_spoil_their_patch_alone():
    rng = np.random.default_rng(4)
    frames = rng.normal(size=(4, 20, 40)).astype(np.float32)
    frames[1, 3, 3], frames[2, 3, 33] = np.nan, np.inf
    patches = PatchGrid.regular((20, 40), (10, 10), (2, 4))
    found = correlate_pairs(frames, patches, 1)[:3, 0]
    spoilt = np.zeros((3, 8), bool)
    spoilt[[0, 1], 0] = spoilt[[1, 2], 3] = True
    np.testing.assert_array_equal(np.isnan(found), spoilt)


def test_a_constant_float_patch_has_no_correlation():
    frames = np.full((2, 8, 8), 0.1, np.float32)
    frames[1] = np.random.default_rng(0).random((8, 8))
    assert np.isnan(correlate_pairs(frames, PatchGrid.regular((8, 8), (8, 8)), 1)).all()


def test_strided_input_and_more_lags_than_frames():
    rng = np.random.default_rng(6)
    frames = rng.integers(0, 256, (6, 40, 30)).astype(np.uint8)
    view = frames[::2, ::-1].transpose(0, 2, 1)
    patches = PatchGrid.regular((30, 40), (8, 8))
    found = correlate_pairs(view, patches, 9)
    np.testing.assert_array_equal(found, correlate_pairs(view.copy(), patches, 9))
    assert np.isnan(found[:, 2:]).all()
    assert not np.isnan(found[0, :2]).any()


def test_progress_and_interruption():
    frames = np.random.default_rng(7).integers(0, 256, (8, 40, 40)).astype(np.uint8)
    patches = PatchGrid.regular((40, 40), (8, 8))
    calls = []
    correlate_pairs(frames, patches, 3, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1][0] == calls[-1][1] > 0

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        correlate_pairs(frames, patches, 3, progress=stop)


GOOD = np.zeros((3, 40, 40), np.uint8)
PATCHES = PatchGrid.regular((40, 40), (8, 8))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((GOOD[0], PATCHES), ValueError, r"frames must be \(N, H, W\), not \(40, 40\)"),
        ((GOOD[:1], PATCHES), ValueError, "at least two of them, not 1"),
        ((GOOD[:0], PATCHES), ValueError, "at least two of them, not 0"),
        ((GOOD.astype(float), PATCHES), TypeError, "uint8 or float32, not float64"),
        ((GOOD[:, :39], PATCHES), ValueError, "reaches beyond frames of 39 x 40"),
        ((GOOD, PATCHES.corners), TypeError, "patches must be a PatchGrid"),
        ((GOOD, PATCHES, 0), ValueError, "window must be"),
        ((GOOD, PATCHES, -2), ValueError, "window must be"),
        ((GOOD, PATCHES, 2.5), ValueError, "window must be"),
        ((GOOD, PATCHES, float("nan")), ValueError, "window must be"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        correlate_pairs(*arguments)
