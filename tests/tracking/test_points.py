"""Points of the image and where they go."""

import numpy as np
import pytest

from usfast.errors import GeometryError
from usfast.tracking import image_points, track_points


def test_named_points_are_pixel_centres():
    assert image_points((480, 640)).tolist() == [[319.5, 239.5, 0]]
    assert image_points((2, 3), "three").tolist() == [[1, 0.5, 0], [0, 0, 0], [2, 0, 0]]
    assert image_points((2, 3), "corners").tolist() == [[0, 0, 0], [2, 0, 0], [0, 1, 0], [2, 1, 0]]


def test_tracks_are_poses_times_points(trajectory):
    rng = np.random.default_rng(0)
    poses, points = trajectory(rng, 7), rng.normal(size=(4, 3))
    tracks = track_points(poses, points)
    for n in range(7):
        for k in range(4):
            np.testing.assert_allclose(tracks[n, k], (poses[n] @ [*points[k], 1])[:3], atol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: image_points((0, 3)), "two positive whole numbers"),
        (lambda: image_points((3, 3), "middle"), "center, three, corners"),
        (lambda: track_points(np.eye(4), [0, 0, 0]), r"\(N, 4, 4\)"),
        (lambda: track_points(np.zeros((0, 4, 4)), [0, 0, 0]), r"\(N, 4, 4\)"),
        (lambda: track_points(np.eye(4)[None], [0, 0]), r"\(K, 3\)"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_not_finite_or_not_affine():
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[2, 0, 0] = np.inf
    with pytest.raises(GeometryError, match="pose 2 of poses is not finite"):
        track_points(poses, [0, 0, 0])
    with pytest.raises(GeometryError, match="0 0 0 1"):
        track_points(2 * np.eye(4)[None], [0, 0, 0])
    with pytest.raises(GeometryError, match="points must be finite"):
        track_points(np.eye(4)[None], [0, np.nan, 0])
