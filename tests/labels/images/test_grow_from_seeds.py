"""grow_from_seeds against Dijkstra's search in Python and SciPy's on the graph of the voxels, and its determinism."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import seeds as reference

from usfast.errors import GeometryError
from usfast.labels.images.grow_from_seeds import grow_from_seeds
from usfast.volume import Volume

few = settings(max_examples=25, deadline=None)


@st.composite
def scenes(draw):
    """(image, seeds, mask): few grey levels make ties; shapes around a brick's side cross its borders."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([(1, 1, 2), (5, 4, 3), (1, 31, 9), (62, 3, 2), (8, 9, 10), (2, 33, 30)]))
    image = rng.integers(0, draw(st.sampled_from([1, 3, 256])), shape).astype(np.uint8)
    seeds = np.where(rng.random(shape) < 0.03, rng.integers(1, 5, shape), 0)
    seeds.flat[0], seeds.flat[-1] = 1, 2
    mask = None
    if draw(st.booleans()):
        mask = rng.random(shape) < 0.8
        mask.flat[0] = mask.flat[-1] = True
    return image, seeds, mask


@few
@given(
    scene=scenes(),
    locality=st.sampled_from([0.0, 1.0, 7.5]),
    neighbours=st.sampled_from([6, 26]),
    spacing=st.sampled_from([(1.0, 1.0, 1.0), (2.0, 0.5, 0.25)]),
)
def test_matches_dijkstra(scene, locality, neighbours, spacing):
    image, seeds, mask = scene
    found = grow_from_seeds(image, seeds, spacing=spacing, locality=locality, neighbours=neighbours, mask=mask)
    step = tuple(locality * s * 16 for s in spacing)
    expected, _ = reference.grow_from_seeds(image.astype(np.int64) * 16, seeds, mask, step, neighbours == 26)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == seeds.dtype


def test_matches_shortest_paths_of_scipy():
    """Another search on another structure; without ties labels are those of the nearest seed."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    rng = np.random.default_rng(1)
    image = rng.uniform(0, 1, (9, 35, 33)).astype(np.float32)
    index = np.arange(image.size).reshape(image.shape)
    values = np.rint((image.astype(np.float64) - image.min()) * 65520 / (float(image.max()) - float(image.min())))
    ends = [(np.take(index, range(n - 1), a), np.take(index, range(1, n), a)) for a, n in enumerate(image.shape)]
    one, other = (np.concatenate([pair[k].ravel() for pair in ends]) for k in (0, 1))
    cost = np.abs(values.ravel()[one] - values.ravel()[other]) + 100
    starts = np.array([5, 4000, 9000])
    graph = coo_array((cost, (one, other)), shape=(image.size, image.size)).tocsr()
    distance = dijkstra(graph, directed=False, indices=starts)
    seeds = np.zeros(image.shape, np.uint8)
    seeds.flat[starts] = 1, 2, 3
    locality = 100 / 65520 * (float(image.max()) - float(image.min()))
    found = grow_from_seeds(image, seeds, neighbours=6, locality=locality)
    ordered = np.sort(distance, axis=0)
    clear = ordered[1] > ordered[0]
    assert clear.mean() > 0.99
    np.testing.assert_array_equal(found.ravel()[clear], 1 + distance.argmin(axis=0)[clear])


def test_bits_do_not_depend_on_threads_or_type():
    rng = np.random.default_rng(2)
    image = rng.integers(0, 40, (45, 70, 64)).astype(np.uint8)
    seeds = np.where(rng.random(image.shape) < 1e-3, rng.integers(1, 4, image.shape), 0).astype(np.int16)
    runs = [grow_from_seeds(image, seeds, num_threads=n).tobytes() for n in (1, 2, 5)]
    runs += [grow_from_seeds(image.astype(t), seeds).tobytes() for t in (np.uint16, np.int64, np.int8)]
    assert len(set(runs)) == 1


def test_a_steep_border_stops_the_wave():
    image = np.full((20, 40, 40), 30.0)
    image[5:15, 10:30, 10:30] = 200
    seeds = np.zeros(image.shape, np.uint8)
    seeds[10, 20, 20], seeds[0, 0, 0] = 7, 9
    found = grow_from_seeds(image, seeds, background=9)
    np.testing.assert_array_equal(found, np.where(image > 100, 7, 0))


def test_small_differences_on_a_high_offset_count():
    image = np.zeros((1, 1, 9)) + 1e9
    image[..., 5:] += 1e-3
    seeds = np.zeros(image.shape, np.uint8)
    seeds[0, 0, 0], seeds[0, 0, 8] = 1, 2
    assert grow_from_seeds(image, seeds, locality=1e-6)[0, 0].tolist() == [1, 1, 1, 1, 1, 2, 2, 2, 2]


def test_mask_bounds_paths_and_labels_and_lets_nan_be():
    image = np.zeros((1, 3, 7), np.float32)
    image[0, :, 3] = np.nan
    mask = np.isfinite(image)
    seeds = np.zeros(image.shape, np.uint8)
    seeds[0, 0, 0], seeds[0, 2, 1], seeds[0, 0, 3] = 1, 2, 3
    found = grow_from_seeds(image, seeds, mask=mask)
    assert not found[~mask].any()
    assert not found[..., 4:].any()  # no path leads there
    assert (found[..., :3] > 0).all()


def test_volumes_keep_their_grid():
    image = Volume(np.zeros((3, 4, 5), np.uint8), (1, 2, 3), (7, 8, 9))
    seeds = np.zeros((3, 4, 5), np.uint8)
    seeds[0, 0, 0], seeds[2, 3, 4] = 1, 2
    found = grow_from_seeds(image, Volume.on(image.grid, seeds))
    assert found.grid == image.grid
    same = grow_from_seeds(image.array, seeds, spacing=(3, 2, 1))
    np.testing.assert_array_equal(found.array, same)
    with pytest.raises(GeometryError, match="one grid"):
        grow_from_seeds(image, Volume(seeds, (1, 1, 1)))


def test_progress_is_called_and_stops_the_work():
    image = np.zeros((40, 40, 40), np.uint8)
    seeds = np.zeros(image.shape, np.uint8)
    seeds[0, 0, 0], seeds[39, 39, 39] = 1, 2
    seen = []
    grow_from_seeds(image, seeds, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (image.size, image.size)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grow_from_seeds(image, seeds, progress=stop)


def _good():
    image, seeds = np.zeros((3, 4, 5)), np.zeros((3, 4, 5), int)
    seeds[0, 0, 0], seeds[2, 3, 4] = 1, 2
    return image, seeds


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"seeds": np.zeros((3, 4, 4), int)}, ValueError, r"\(3, 4, 5\), but seeds \(3, 4, 4\)"),
        ({"seeds": np.zeros((3, 4, 5), int)}, ValueError, "seeds are empty"),
        ({"seeds": np.ones((3, 4, 5), int)}, ValueError, "mark background too"),
        ({"seeds": np.ones((3, 4, 5), bool)}, ValueError, "mark background too"),
        ({"seeds": -np.ones((3, 4, 5), int)}, ValueError, "negative label -1"),
        ({"seeds": np.ones((3, 4, 5))}, TypeError, "integer labels, not float64"),
        ({"seeds": np.ones((4, 5), int)}, ValueError, r"\(Z, Y, X\)"),
        ({"seeds": np.arange(60).reshape(3, 4, 5) * 5, "background": 4}, ValueError, "no voxel of background=4"),
        ({"volume": np.full((3, 4, 5), np.nan)}, ValueError, "NaN or infinite values in 60 voxels"),
        ({"volume": np.zeros((3, 4, 5), complex)}, TypeError, "real numbers"),
        ({"mask": np.zeros((3, 4, 5), bool)}, ValueError, "mask is empty"),
        ({"mask": np.ones((3, 4, 4), bool)}, ValueError, "mask has shape"),
        ({"locality": -1.0}, ValueError, "locality must be"),
        ({"locality": float("nan")}, ValueError, "locality must be"),
        ({"neighbours": 18}, ValueError, "neighbours must be 6 or 26"),
        ({"spacing": (1, 0, 1)}, ValueError, "spacing must be positive"),
        ({"num_threads": 0}, ValueError, "num_threads"),
    ],
)
def test_bad_arguments(change, error, message):
    image, seeds = _good()
    with pytest.raises(error, match=message):
        grow_from_seeds(**{"volume": image, "seeds": seeds, **change})


def test_too_many_labels():
    seeds = np.arange(300).reshape(3, 10, 10)
    with pytest.raises(ValueError, match="299 labels; at most 255"):
        grow_from_seeds(np.zeros(seeds.shape), seeds)
