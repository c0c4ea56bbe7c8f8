"""Compounder: the bits of the one-shot call for every method, mode and batching; failures leave no trace."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference.sweeps import cases

from usfast import GeometryError, Grid, Sweep
from usfast.compound import METHODS, Compounder, compound, compound_arrays

few = settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
FRAMES = np.full((3, 6, 7), 40, np.uint8)
POSES = np.tile(np.eye(4), (3, 1, 1))
POSES[:, 2, 3] = [0, 1, 2]
GRID = Grid((7, 6, 3), 1.0)


def same_bits(found, expected):
    volume, weight = found.volume.array, found.weight
    assert volume.dtype == expected[0].dtype
    assert volume.tobytes() == expected[0].tobytes()
    assert weight.tobytes() == expected[1].tobytes()


@pytest.mark.parametrize("mode", ["mean", "maximum", "latest", "weighted", "vote"])
@pytest.mark.parametrize("method", METHODS)
@few
@given(case=cases(), data=st.data(), kernel=st.sampled_from([(3, 0.7), (5, 1.0), (9, 2.0)]))
def test_batches_give_the_bits_of_one_call(method, mode, case, data, kernel):
    frames = case.rng.integers(0, 4, case.frames.shape).astype(np.int16) if mode == "vote" else case.frames
    weights = case.rng.uniform(0, 2, case.frames.shape) if mode == "weighted" else None
    valid = case.rng.random(len(frames)) < 0.8
    valid[0] = True
    options = {"mask": case.mask, "kernel_size": kernel[0], "sigma": kernel[1]}
    expected = compound_arrays(
        frames, case.image_to_world, case.grid, method, mode, valid=valid, weights=weights, **options
    )
    threads = data.draw(st.sampled_from([1, 2, 3]))
    classes = [3, 1, 2, 9] if mode == "vote" else None
    live = Compounder(case.grid, method, mode, classes=classes, num_threads=threads, **options)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(frames)), max_size=3)) | {0, len(frames)})
    for start, stop in pairwise(cuts):
        part = slice(start, stop)
        live.add(frames[part], case.image_to_world[part], valid[part], None if weights is None else weights[part])
    same_bits(live.result(), expected)
    assert live.frames_added == valid.sum()
    inside = np.zeros(case.grid.shape, bool)
    if live.touched is not None:
        inside[live.touched] = True
    assert not (expected[1] > 0)[~inside].any()
    assert (live.nbytes > 0) == (live.touched is not None)


@few
@given(case=cases(), data=st.data())
def test_a_region_is_that_part_of_the_volume(case, data):
    live = Compounder(case.grid)
    live.add(*case.arrays[:2])
    whole = live.result()
    region = []
    for size in case.grid.shape:
        start = data.draw(st.integers(0, size - 1))
        region.append(slice(start, data.draw(st.integers(start + 1, size))))
    part = live.result(region=tuple(region))
    np.testing.assert_array_equal(part.volume.array, whole.volume.array[tuple(region)])
    np.testing.assert_array_equal(part.weight, whole.weight[tuple(region)])
    first = np.array([region[2].start, region[1].start, region[0].start, 1.0])
    np.testing.assert_allclose(part.volume.origin, (case.grid.voxel_to_world @ first)[:3], atol=1e-9)


def test_several_bricks_and_the_volume_between_the_batches():
    rng = np.random.default_rng(3)
    frames = rng.integers(0, 256, (12, 70, 90)).astype(np.uint8)
    poses = np.tile(np.eye(4), (12, 1, 1))
    poses[:, :3, :3] += rng.normal(0, 0.1, (12, 3, 3))
    poses[:, 2, 3] = np.linspace(0, 60, 12)
    grid = Grid((100, 75, 70), 1.0)
    for method in METHODS:
        live = Compounder(grid, method)
        for n in range(12):
            live.add(frames[n : n + 1], poses[n : n + 1])
            if n in (3, 11):
                same_bits(live.result(), compound_arrays(frames[: n + 1], poses[: n + 1], grid, method))


def test_sweeps_bring_mask_valid_and_labels():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, FRAMES.shape).astype(np.uint8)
    mask = rng.random(FRAMES.shape[1:]) < 0.6
    sweep = Sweep(FRAMES, POSES, valid=[True, False, True], mask=mask, labels=labels)
    live, votes = Compounder(GRID), Compounder(GRID, mode="vote", classes=3)
    live.add(sweep)
    votes.add(sweep)
    for found, mode in ((live, "mean"), (votes, "vote")):
        expected = compound(sweep, grid=GRID, mode=mode)
        same_bits(found.result(), (expected.volume.array, expected.weight))
    narrow = Compounder(GRID, mask=np.arange(7) < np.full((6, 1), 3))
    narrow.add(sweep)
    assert not narrow.result().weight[:, :, 3:].any()


def test_memory_follows_what_was_touched():
    live = Compounder(Grid((10**8,) * 3, 1.0))
    assert live.nbytes == 0
    assert live.touched is None
    poses = POSES.copy()
    poses[:, :3, 3] += 10**7 - 3
    live.add(FRAMES, poses)
    assert 0 < live.nbytes < 10**7
    used = live.volume(region=live.touched)
    np.testing.assert_allclose(used.array.max(), 40)
    with pytest.raises(MemoryError, match="would fit"):
        live.volume()
    live.clear()
    assert (live.nbytes, live.touched, live.frames_added) == (0, None, 0)
    live.add(FRAMES.astype(np.float32), poses)  # another dtype is fine now


def test_masked_frames_and_frames_beside_the_grid_touch_nothing():
    live = Compounder(GRID, mask=np.zeros((6, 7), bool))
    live.add(FRAMES, POSES)
    assert live.touched is None
    beside = POSES.copy()
    beside[:, 0, 3] = 100
    live = Compounder(GRID)
    live.add(FRAMES, beside)
    live.add(FRAMES, POSES, valid=[False] * 3)
    assert (live.touched, live.nbytes, live.frames_added) == (None, 0, 3)
    assert not live.volume().array.any()


def test_an_interrupted_call_adds_nothing():
    rng = np.random.default_rng(0)
    frames, poses = rng.integers(0, 256, (4, 90, 90)).astype(np.uint8), np.tile(np.eye(4), (4, 1, 1))
    poses[:, 2, 3] = [0, 20, 40, 60]
    live = Compounder(Grid((90, 90, 61), 1.0))
    live.add(frames[:2], poses[:2])
    before, size = live.result(), live.nbytes

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        live.add(frames, poses, progress=stop)
    after = live.result()
    same_bits(after, (before.volume.array, before.weight))
    assert (live.frames_added, live.nbytes) == (2, size)
    live.add(frames[2:], poses[2:])
    same_bits(live.result(), compound_arrays(frames, poses, live.grid))


def test_a_failed_call_adds_nothing():
    live = Compounder(GRID)
    live.add(FRAMES, POSES)
    before = live.volume().array
    with pytest.raises(GeometryError, match="frame 1 is not finite"):
        live.add(FRAMES, POSES * [[[1]], [[np.nan]], [[1]]])
    with pytest.raises(TypeError, match="added before are uint8, these float32"):
        live.add(FRAMES.astype(np.float32), POSES)
    np.testing.assert_array_equal(live.volume().array, before)
    assert live.frames_added == 3


def test_the_progress_callback_cannot_call_back():
    live = Compounder(GRID)
    for call in (live.volume, live.clear, lambda: live.nbytes, lambda: live.add(FRAMES, POSES)):
        with pytest.raises(RuntimeError, match="progress callback"):
            live.add(FRAMES, POSES, progress=lambda done, total, call=call: call())
    assert live.frames_added == 0


def test_one_thread_adds_while_another_looks():
    live, looks = Compounder(GRID), []
    done = threading.Event()

    def look():
        while not done.is_set():
            looks.append(np.unique(live.result().weight))

    watcher = threading.Thread(target=look)
    watcher.start()
    for _ in range(50):
        live.add(FRAMES, POSES)
    done.set()
    watcher.join()
    assert all(len(weights) == 1 for weights in looks)  # never a half-added batch
    assert (live.result().weight == 50).all()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"grid": (7, 6, 3)}, TypeError, "grid must be a Grid"),
        ({"grid": Grid((10**9, 1, 1), 1.0)}, GeometryError, "fewer than 1000000000 voxels"),
        ({"method": "cubic"}, ValueError, "method must be one of"),
        ({"mode": "median"}, ValueError, "mode must be one of"),
        ({"kernel_size": 4}, ValueError, "kernel_size must be odd"),
        ({"sigma": np.nan}, ValueError, "sigma must be positive"),
        ({"mask": np.ones(6, bool)}, ValueError, r"mask .*\(H, W\)"),
        ({"classes": 3}, ValueError, 'classes and mode="vote" go together'),
        ({"mode": "vote"}, ValueError, 'classes and mode="vote" go together'),
        ({"mode": "vote", "classes": 0}, ValueError, "up to 256 labels"),
        ({"mode": "vote", "classes": 257}, ValueError, "up to 256 labels"),
        ({"mode": "vote", "classes": [-1, 2]}, ValueError, "up to 256 labels"),
        ({"mode": "vote", "classes": 2.5}, TypeError, "classes must be"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_bad_construction(change, error, message):
    with pytest.raises(error, match=message):
        Compounder(**({"grid": GRID} | change))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"image_to_world": None}, TypeError, "give image_to_world"),
        ({"image_to_world": POSES[:2]}, ValueError, r"\(2, 4, 4\), but there are 3 frames"),
        ({"frames": FRAMES[0]}, ValueError, r"\(N, H, W\)"),
        ({"frames": Sweep(FRAMES, POSES)}, TypeError, "sweep brings its own"),
        ({"valid": [True]}, ValueError, "one entry for each of the 3 frames"),
        ({"weights": np.ones(3)}, ValueError, 'mode="weighted"'),
        ({"progress": 3}, TypeError, "progress must be callable"),
    ],
)
def test_bad_batches(change, error, message):
    with pytest.raises(error, match=message):
        Compounder(GRID).add(**({"frames": FRAMES, "image_to_world": POSES} | change))


@pytest.mark.parametrize("weights", [[1, -1, 1], [1, np.nan, 1], None, np.ones(4)])
def test_bad_weights(weights):
    with pytest.raises(ValueError, match="weights"):
        Compounder(GRID, mode="weighted").add(FRAMES, POSES, weights=weights)


def test_masks_must_fit_and_labels_must_be_known():
    with pytest.raises(ValueError, match="mask has shape"):
        Compounder(GRID, mask=np.ones((7, 6), bool)).add(FRAMES, POSES)
    with pytest.raises(ValueError, match="mask has shape"):
        Compounder(GRID, mask=np.ones((7, 6), bool)).add(Sweep(FRAMES, POSES, mask=np.ones((6, 7), bool)))
    votes = Compounder(GRID, mode="vote", classes=3)
    with pytest.raises(ValueError, match="label 40 occurs"):
        votes.add(FRAMES, POSES)
    with pytest.raises(TypeError, match="labels must be integers"):
        votes.add(FRAMES.astype(np.float32), POSES)
    with pytest.raises(ValueError, match="the sweep has none"):
        votes.add(Sweep(FRAMES, POSES))


@pytest.mark.parametrize(
    ("region", "error"),
    [
        ((slice(0, 1),), TypeError),
        ([slice(0, 1)] * 3, TypeError),
        ((0, 0, 0), TypeError),
        ((slice(2, 2), slice(None), slice(None)), ValueError),
        ((slice(5, 9), slice(None), slice(None)), ValueError),
        ((slice(None, None, 2), slice(None), slice(None)), ValueError),
    ],
)
def test_bad_regions(region, error):
    with pytest.raises(error, match="region must"):
        Compounder(GRID).volume(region=region)
