"""Signed distances against brute force and against what distances must obey."""

import numpy as np
import pytest
from reference.phantom import nearest

from usfast.phantom import CalfPhantom, Part, ProstatePhantom, Structure
from usfast.phantom.distance import part_distance, surface_samples


def ball_and_plane():
    """Half a ball of radius 10: one smooth face, one flat face, a circular edge."""
    box = np.array([[-10.0, -10.0, -10.0], [10.0, 10.0, 10.0]])
    return Part(lambda x, y, z: [np.sqrt(np.maximum(x * x + y * y + z * z, 1e-12)) - 10.0, -z], box)


def exact_half_ball(points):
    rho, z = np.hypot(points[:, 0], points[:, 1]), points[:, 2]
    r = np.hypot(rho, z)
    outside = np.where(z >= 0, r - 10.0, np.where(rho <= 10.0, -z, np.hypot(rho - 10.0, z)))
    inside = (z > 0) & (r < 10.0)
    return np.where(inside, -np.minimum(10.0 - r, z), outside)


def test_half_ball_is_exact_inside_outside_and_round_the_edge():
    shape = Structure(1, "half ball", (ball_and_plane(),), lambda: 0.0)
    points = np.random.default_rng(0).uniform(-16, 16, (3000, 3))
    np.testing.assert_allclose(shape.signed_distance(points), exact_half_ball(points), atol=1e-5)


@pytest.fixture(scope="module")
def prostate():
    return ProstatePhantom(seed=2)


@pytest.mark.parametrize("label", [1, 2])
def test_agrees_with_dense_samples(prostate, label):
    part = prostate.structure(label).parts[0]
    samples = surface_samples(part, 0.6)
    rng = np.random.default_rng(label)
    points = samples[rng.integers(0, len(samples), 1500)] + rng.normal(0, 3, (1500, 3))
    ours = prostate.signed_distance(label, points)
    brute = nearest(samples, points)
    # Every sample lies on the surface: the true distance is never more. A gap g between samples makes
    # sqrt(d^2 + (g/2)^2) of d.
    assert (np.abs(ours) <= brute + 1e-6).all()
    assert (brute <= np.sqrt(ours**2 + 0.6**2) + 1e-2).all()
    np.testing.assert_array_equal(ours < 0, prostate.labels(points) == label)


def test_is_1_lipschitz(prostate):
    rng = np.random.default_rng(3)
    points = rng.uniform(-30, 30, (2000, 3))
    moved = points + rng.normal(0, 0.5, points.shape)
    change = np.abs(prostate.signed_distance(1, points) - prostate.signed_distance(1, moved))
    assert (change <= np.linalg.norm(moved - points, axis=1) + 1e-2).all()


def test_walking_the_distance_along_the_gradient_meets_the_surface(prostate):
    rng = np.random.default_rng(4)
    points = rng.uniform(-26, 26, (300, 3))
    step = 1e-3
    distance = prostate.signed_distance("transition zone", points)
    gradient = np.stack(
        [
            (
                prostate.signed_distance(2, points + step * np.eye(3)[k])
                - prostate.signed_distance(2, points - step * np.eye(3)[k])
            )
            / (2 * step)
            for k in range(3)
        ],
        axis=-1,
    )
    smooth = np.abs(np.linalg.norm(gradient, axis=1) - 1) < 1e-3  # away from the ridges
    assert smooth.mean() > 0.9
    feet = points - distance[:, None] * gradient
    assert np.abs(prostate.structure(2).level(*feet[smooth].T)).max() < 2e-2


@pytest.mark.parametrize(
    ("label", "middle"),
    [
        (1, (3.0, -45.0, 120.0)),  # the edge between fascia and median septum
        (1, (-20.0, -35.0, 185.0)),  # the end of the belly
        (3, (-42.0, -12.0, 120.0)),  # where soleus runs out between its sheets and the fascia
    ],
)
def test_edges_of_the_calf_agree_with_dense_samples(label, middle):
    whole = CalfPhantom(0).structure(label).parts[0]
    part = Part(whole.faces, np.add(np.array([middle]), [[-16.0], [16.0]]))
    samples = surface_samples(part, 0.5)
    assert len(samples) > 2000
    points = np.random.default_rng(label).uniform(-8, 8, (1500, 3)) + middle
    brute = nearest(samples, points)
    points, brute = points[brute < 7], brute[brute < 7]  # nothing outside the box is nearer
    assert len(points) > 500
    ours = part_distance(part, points)
    assert (np.abs(ours) <= brute + 1e-6).all()
    assert (brute <= np.sqrt(ours**2 + 0.5**2) + 1e-2).all()
    np.testing.assert_array_equal(ours < 0, part.level(*points.T) < 0)
