"""Named transforms: names, composition, status, errors; on a real PLUS recording's frames in io's tests."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfast.errors import GeometryError
from usfast.geometry import TransformGraph, apply, euler_to_matrix, invert, split_name


def rigid(rng: np.random.Generator, *batch: int) -> np.ndarray:
    matrix = np.zeros((*batch, 4, 4))
    matrix[..., :3, :3] = euler_to_matrix(rng.uniform(-180, 180, (*batch, 3)))
    matrix[..., :3, 3] = rng.normal(size=(*batch, 3)) * 50
    matrix[..., 3, 3] = 1
    return matrix


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("ImageToProbeTransform", ("Image", "Probe")),
        ("ImageToProbe", ("Image", "Probe")),
        ("TestToolToTracker", ("TestTool", "Tracker")),
        ("probeToTrackerTransform", ("Probe", "Tracker")),
        ("TrackerToTool", ("Tracker", "Tool")),
        ("ImageToTransformed", ("Image", "Transformed")),
        ("ImageTo3DGrid", ("Image", "3DGrid")),
    ],
)
def test_split_name(name, frames):
    assert split_name(name) == frames


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Image", "must read"),
        ("Tooltip", "must read"),
        ("ImageTo", "must read"),
        ("ImageToTransform", "must read"),
        ("", "must read"),
        ("ToProbe", "no source frame"),
        ("ImageToProbeToTracker", "ambiguous: 2"),
    ],
)
def test_split_name_refuses(name, message):
    with pytest.raises(GeometryError, match=message):
        split_name(name)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_chain_through_inverses_is_the_product(seed):
    rng = np.random.default_rng(seed)
    image_to_probe = np.diag([0.1, 0.2, 0.1, 1.0]) @ rigid(rng)
    probe_to_tracker, reference_to_tracker = rigid(rng, 5), rigid(rng, 5)
    graph = TransformGraph()
    graph.set("Image", "Probe", image_to_probe)
    graph.set("Reference", "Tracker", reference_to_tracker)
    graph.set("Probe", "Tracker", probe_to_tracker)
    matrix, ok = graph.get("image", "reference")
    expected = np.linalg.inv(reference_to_tracker) @ probe_to_tracker @ image_to_probe
    np.testing.assert_allclose(matrix, expected, atol=1e-10)
    assert ok.shape == (5,) and ok.all()
    back, _ = graph.get("Reference", "Image")
    np.testing.assert_allclose(back @ matrix, np.tile(np.eye(4), (5, 1, 1)), atol=1e-9)


def test_status_is_the_and_of_the_path_and_only_of_the_path():
    graph = TransformGraph()
    poses = np.tile(np.eye(4), (4, 1, 1))
    graph.set("Probe", "Tracker", poses, [True, False, True, True])
    graph.set("Reference", "Tracker", poses, [True, True, False, True])
    graph.set("Stylus", "Tracker", poses, False)
    matrix, ok = graph.get("Probe", "Reference")
    assert ok.tolist() == [True, False, False, True]
    assert np.isnan(matrix[1:3]).all() and np.isfinite(matrix[[0, 3]]).all()
    assert not graph.get("Stylus", "Probe")[1].any()


def test_singular_and_not_finite_entries_are_not_ok():
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[0, 0, 3] = np.nan
    poses[1, 1, 1] = np.inf
    poses[2] = 0.0
    poses[3, :3, 2] = poses[3, :3, 1]
    graph = TransformGraph()
    graph.set("Probe", "Tracker", poses)
    assert graph.get("Probe", "Tracker")[1].tolist() == [False] * 4 + [True]
    assert graph.get("Tracker", "Probe")[1].tolist() == [False] * 4 + [True]


def test_pixel_scale_is_not_singular():
    graph = TransformGraph()
    graph.set("Image", "Probe", np.diag([1e-5, 1e-5, 1e-5, 1.0]))
    assert graph.get("Image", "Probe")[1]


def test_static_transforms_stay_single():
    graph = TransformGraph()
    graph.set("Image", "Probe", np.eye(4))
    matrix, ok = graph.get("Probe", "Image")
    assert matrix.shape == (4, 4) and ok.shape == ()


def test_identity_and_frames():
    graph = TransformGraph()
    assert graph.frames == ()
    graph.set("image", "probe", np.eye(4))
    graph.set("probe", "Tracker", np.eye(4))
    assert graph.frames == ("Image", "Probe", "Tracker")
    matrix, ok = graph.get("Probe", "probe")
    assert ok and np.array_equal(matrix, np.eye(4))


def test_the_same_edge_is_replaced_any_other_path_refused():
    graph = TransformGraph()
    graph.set("Image", "Probe", np.eye(4))
    graph.set("Probe", "Tracker", np.eye(4))
    graph.set("Image", "Probe", np.diag([2.0, 2.0, 2.0, 1.0]))
    assert graph.get("Image", "Tracker")[0][0, 0] == 2.0
    with pytest.raises(GeometryError, match=r"already exists .*Image -> Probe -> Tracker"):
        graph.set("Image", "Tracker", np.eye(4))
    with pytest.raises(GeometryError, match="already exists"):
        graph.set("Probe", "Image", np.eye(4))
    with pytest.raises(GeometryError, match="to itself"):
        graph.set("Probe", "probe", np.eye(4))


def test_counts_must_agree():
    graph = TransformGraph()
    graph.set("Image", "Probe", np.eye(4))
    graph.set("Probe", "Tracker", np.tile(np.eye(4), (4, 1, 1)))
    with pytest.raises(GeometryError, match="ReferenceToTracker has 3 matrices, but ProbeToTracker has 4"):
        graph.set("Reference", "Tracker", np.tile(np.eye(4), (3, 1, 1)))
    graph.set("Probe", "Tracker", np.tile(np.eye(4), (3, 1, 1)))  # the only one may change its count
    assert graph.get("Image", "Tracker")[1].shape == (3,)


def test_no_path_says_what_there_is():
    graph = TransformGraph()
    graph.set("Image", "Probe", np.eye(4))
    graph.set("Reference", "Tracker", np.eye(4))
    with pytest.raises(GeometryError, match=r"from Image to Tracker; known .*Reference.*one can reach Probe$"):
        graph.get("Image", "Tracker")
    with pytest.raises(GeometryError, match="Needle is not one of them"):
        graph.get("Needle", "Tracker")
    with pytest.raises(GeometryError, match="known frames: none"):
        TransformGraph().get("Image", "Probe")


@pytest.mark.parametrize(
    ("matrix", "status", "error", "message"),
    [
        (np.eye(3), None, ValueError, r"must have shape \(4, 4\) or \(N, 4, 4\), not \(3, 3\)"),
        (np.eye(4), [True, False], ValueError, r"status of ImageToProbe has shape \(2,\)"),
        (np.eye(4), "OK", TypeError, "must be bool"),
        (np.eye(4) + np.eye(4, k=-3), None, GeometryError, "transposed"),
        (np.stack([np.eye(4), np.eye(4) + np.eye(4, k=-3)]), None, GeometryError, "of frame 1 must end"),
    ],
)
def test_set_refuses(matrix, status, error, message):
    with pytest.raises(error, match=message):
        TransformGraph().set("Image", "Probe", matrix, status)


def test_the_graph_keeps_no_reference_to_what_was_set():
    matrix = np.eye(4)
    graph = TransformGraph()
    graph.set("Image", "Probe", matrix)
    matrix[0, 3] = 7.0
    got, _ = graph.get("Image", "Probe")
    got[0, 0] = 9.0
    assert np.array_equal(graph.get("Image", "Probe")[0], np.eye(4))


def test_invert_batches_and_nan():
    rng = np.random.default_rng(1)
    matrix = rigid(rng, 2, 3) @ np.diag([0.1, 0.2, 3.0, 1.0])
    matrix[0, 1, 0, 0] = np.nan
    inverse = invert(matrix)
    assert np.isnan(inverse[0, 1, :3]).all()
    known = np.isfinite(inverse).all(axis=(-2, -1))
    assert known.sum() == 5
    np.testing.assert_allclose(inverse[known], np.linalg.inv(matrix[known]), atol=1e-10)
    assert invert(np.eye(4)).shape == (4, 4)


def test_invert_refuses():
    with pytest.raises(GeometryError, match="transform 1 of 2 is singular"):
        invert([np.eye(4), np.diag([1.0, 0.0, 1.0, 1.0])])
    with pytest.raises(ValueError, match=r"\(\.\.\., 4, 4\)"):
        invert(np.eye(3))


def test_apply_broadcasts():
    rng = np.random.default_rng(2)
    matrix, points = rigid(rng, 4), rng.normal(size=(4, 3))
    expected = [(m @ [*p, 1])[:3] for m, p in zip(matrix, points, strict=True)]
    np.testing.assert_allclose(apply(matrix, points), expected, atol=1e-12)
    assert apply(matrix[:, None], points).shape == (4, 4, 3)
    assert apply(matrix[0], rng.normal(size=(5, 6, 3))).shape == (5, 6, 3)
    np.testing.assert_allclose(apply(matrix[0], points[0]), expected[0], atol=1e-12)
    with pytest.raises(ValueError, match="do not broadcast"):
        apply(matrix, rng.normal(size=(5, 3)))
    with pytest.raises(ValueError, match="points must have shape"):
        apply(matrix, rng.normal(size=(4, 4)))
