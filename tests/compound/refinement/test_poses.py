"""Matching against the NumPy reference; correction of sweeps whose errors are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import refine as reference
from reference.sweeps import rotation

from usfast import Sweep, Volume, _core
from usfast.compound import compound, overlap_ncc, refine_poses
from usfast.compound.refinement.motions import best_rigid, correction_matrices, rotation_jacobian, rotation_matrices
from usfast.compound.refinement.splines import PenalisedSpline
from usfast.errors import GeometryError

few = settings(max_examples=60, deadline=None)


@st.composite
def matchings(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    size = draw(st.tuples(*[st.sampled_from((1, 2, 3, 8, 15))] * 3))
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 8)), draw(st.sampled_from((1, 3, 8, 63, 64, 65, 130)))
    volume = rng.normal(size=size).astype(np.float32)
    frames = rng.normal(size=shape).astype(np.float32)
    volume[rng.random(size) < draw(st.sampled_from((0.0, 0.02)))] = np.nan
    frames[rng.random(shape) < draw(st.sampled_from((0.0, 0.1)))] = np.nan
    pitch = rng.uniform(0.05, 1.0, (shape[0], 1, 1))
    matrices = np.concatenate([rotation(rng) * pitch, np.zeros((shape[0], 3, 1))], axis=2)
    middle = np.array([(shape[2] - 1) / 2, (shape[1] - 1) / 2, 0])
    matrices[:, :, 3] = rng.uniform(0, 1, (shape[0], 3)) * size[::-1] - matrices[:, :, :3] @ middle
    return volume, tuple(rng.uniform(0.3, 2, 3).tolist()), frames, matrices, rng.uniform(0, 9, (shape[0], 3))


@few
@given(case=matchings())
def test_matches_reference(case):
    volume, spacing, frames, matrices, pivots = case
    found = _core.match_frames(*case, 2, None)
    for n, frame in enumerate(frames):
        ncc, used, gradient, hessian = reference.match(volume, np.array(spacing), frame, matrices[n], pivots[n])
        assert found[1][n] == used
        if used < 12:  # too few for the rounding of single precision to say anything
            continue
        np.testing.assert_allclose(found[0][n], ncc, atol=2e-5)
        size = np.abs(hessian).max() + 1e-3
        np.testing.assert_allclose(found[3][n], hessian, atol=2e-3 * size)
        np.testing.assert_allclose(found[2][n], gradient, atol=2e-3 * np.sqrt(size))


def body(points):
    """A smooth scene with structure in every direction."""
    x, y, z = np.moveaxis(points, -1, 0)
    waves = np.sin(0.5 * x + 0.2 * z) + np.cos(0.6 * y - 0.3 * z) + np.sin(0.35 * (x + y) - 0.45 * z)
    return (100 + 25 * (waves + np.sin(0.8 * z) * np.cos(0.3 * x))).astype(np.float32)


def scan(count=16, shape=(28, 30), pixel=0.8, across=0.0, turned=False):
    """A sweep over the scene: along z, or (turned) along x with planes of z and y."""
    poses = np.tile(np.diag([pixel, pixel, pixel, 1.0]), (count, 1, 1))
    if turned:
        poses[:, :3, 0], poses[:, :3, 2] = (0, 0, pixel), (-pixel, 0, 0)
        poses[:, 0, 3] = np.linspace(2, 20, count)
    else:
        poses[:, 0, 3], poses[:, 2, 3] = across, np.linspace(0, 22, count)
    v, u = np.mgrid[: shape[0], : shape[1]]
    pixels = np.stack([u, v, 0 * u, 1 + 0 * u], axis=-1)
    return Sweep(body(np.einsum("nij,hwj->nhwi", poses, pixels)[..., :3]), poses)


def disturbed(sweep, seed, mm=4.0, deg=3.0):
    """The sweep with a smooth error of up to `mm` and `deg`."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, len(sweep))[:, None]
    curve = rng.normal(size=6) * (t - 0.3) + rng.normal(size=6) * np.sin(3 * t + rng.uniform(0, 6))
    curve /= np.abs(curve).max(axis=0)
    centres = (sweep.image_to_world @ [15, 14, 0, 1])[:, :3]
    errors = correction_matrices(curve * ([mm / 1.7] * 3 + [np.deg2rad(deg) / 1.7] * 3), centres)
    return Sweep(sweep.frames, errors @ sweep.image_to_world)


def error(sweep, true):
    corners = np.array([[0, 0, 0, 1], [29, 0, 0, 1], [0, 27, 0, 1], [29, 27, 0, 1]]).T
    return float(np.linalg.norm(((sweep.image_to_world - true.image_to_world) @ corners)[:, :3], axis=1).mean())


@pytest.fixture(scope="module")
def crossing():
    """A true sweep, a disturbed one across it, and the latter's truth."""
    true = scan(turned=True)
    return scan(), disturbed(true, 1), true


@pytest.mark.parametrize("kind", ["sweep", "volume", "result"])
def test_error_becomes_several_times_smaller(crossing, kind):
    fixed, moving, true = crossing
    result = compound(fixed, 0.8, fill="gaussian")
    known = result.coverage | result.filled
    volume = Volume.on(result.volume.grid, np.where(known, result.volume.array, np.nan))
    if kind == "sweep":
        found = refine_poses([fixed, moving], 1.0, reference=0, out_of_plane=0.0)
    else:
        target = volume if kind == "volume" else result
        found = refine_poses(moving, 1.0, reference=target, out_of_plane=0.0)
    assert error(found.sweeps[-1], true) < error(moving, true) / 4
    assert np.nanmean(found.ncc_after[-1]) > np.nanmean(found.ncc_before[-1]) + 0.05
    np.testing.assert_allclose(found.corrections[-1] @ moving.image_to_world, found.sweeps[-1].image_to_world)
    assert found.overlap[-1].max() > 0.5
    if kind == "sweep":
        np.testing.assert_array_equal(found.sweeps[0].image_to_world, fixed.image_to_world)
        np.testing.assert_array_equal(found.corrections[0], np.tile(np.eye(4), (16, 1, 1)))


def test_together_the_sweeps_stay_where_they_were(crossing):
    fixed, moving, _ = crossing
    found = refine_poses([fixed, moving], 1.0, out_of_plane=0.0)
    corners = np.array([[0, 0, 0, 1], [29, 0, 0, 1], [0, 27, 0, 1], [29, 27, 0, 1]]).T
    points, targets = (
        np.concatenate([(s.image_to_world @ corners)[:, :3].transpose(0, 2, 1).reshape(-1, 3) for s in sweeps])
        for sweeps in (found.sweeps, (fixed, moving))
    )
    np.testing.assert_allclose(best_rigid(points, targets), np.eye(4), atol=1e-6)
    before, after = (np.nanmean(np.concatenate(overlap_ncc(s, 1.0))) for s in ((fixed, moving), found.sweeps))
    assert after > before + 0.02


def test_bits_do_not_depend_on_threads(crossing):
    fixed, moving, _ = crossing
    runs = [refine_poses([fixed, moving], 1.5, iterations=2, num_threads=threads) for threads in (1, 3)]
    assert len({np.concatenate(run.corrections).tobytes() for run in runs}) == 1


def test_other_pixel_sizes_masks_invalid_frames_and_short_sweeps(crossing):
    fixed, moving, _ = crossing
    coarse = Sweep(
        moving.frames[:, ::2, ::2],
        moving.image_to_world @ np.diag([2.0, 2, 1, 1]),
        mask=np.arange(15)[None] > 0 * np.ones((14, 1)),
    )
    poses = coarse.image_to_world.copy()
    poses[3] = np.nan
    coarse = Sweep(coarse.frames, poses, valid=np.arange(16) != 3, mask=coarse.mask)
    found = refine_poses([fixed, coarse, fixed[8]], 1.5, iterations=2)
    assert np.isnan(found.sweeps[1].image_to_world[3]).all()
    np.testing.assert_array_equal(found.corrections[1][3], np.eye(4))
    assert np.isnan(found.ncc_after[1][3])
    assert found.overlap[1][3] == 0
    assert np.isfinite(np.concatenate(found.corrections)).all()
    assert len(found.sweeps[2]) == 1


def test_a_constant_frame_follows_its_neighbours(crossing):
    fixed, moving, _ = crossing
    frames = moving.frames.copy()
    frames[5] = 7
    found = refine_poses([fixed, Sweep(frames, moving.image_to_world)], 1.5, reference=0, iterations=2)
    shifts = found.corrections[1] @ moving.image_to_world - moving.image_to_world
    assert np.linalg.norm(shifts[5, :3, 3] - (shifts[4, :3, 3] + shifts[6, :3, 3]) / 2) < 0.5


def test_limits_hold(crossing):
    fixed, moving, _ = crossing
    found = refine_poses(
        [fixed, moving], 1.5, reference=0, iterations=2, rigid_first=False, max_shift_mm=0.3, max_angle_deg=0.2
    )
    centre = [14.5, 13.5, 0, 1]
    shift = (found.sweeps[1].image_to_world - moving.image_to_world) @ centre
    assert 0 < np.linalg.norm(shift[:, :3], axis=1).max() <= 0.3 + 1e-9


def test_progress_counts_up_to_its_total_and_may_stop(crossing):
    calls = []
    refine_poses(crossing[:2], 2.0, iterations=2, progress=lambda *call: calls.append(call))
    assert calls[-1][0] == calls[-1][1]
    assert calls == sorted(calls)

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refine_poses(crossing[:2], 2.0, iterations=1, progress=stop)


def test_bad_input(crossing):
    fixed, moving, _ = crossing
    away = moving.image_to_world.copy()
    away[:, :3, 3] += 60
    with pytest.raises(GeometryError, match="does not overlap"):
        refine_poses([fixed, Sweep(moving.frames, away)], 1.0)
    with pytest.raises(GeometryError, match="constant"):
        refine_poses([fixed, Sweep(np.ones_like(moving.frames), moving.image_to_world)], 1.5, reference=0)
    with pytest.raises(GeometryError, match="none of the 16 frames of sweep 1"):
        refine_poses([fixed, Sweep(moving.frames, moving.image_to_world, valid=np.zeros(16, bool))], 1.0)
    with pytest.raises(ValueError, match="give two or more"):
        refine_poses(fixed, 1.0)
    with pytest.raises(ValueError, match="0 to 1, not 2"):
        refine_poses([fixed, moving], 1.0, reference=2)
    with pytest.raises(TypeError, match="reference must be"):
        refine_poses([fixed, moving], 1.0, reference="first")
    with pytest.raises(TypeError, match="entry 1 is a int"):
        refine_poses([fixed, 3], 1.0)
    for name in ("spacing", "smoothness", "knot_frames", "max_shift_mm", "max_angle_deg"):
        with pytest.raises(ValueError, match=name):
            refine_poses([fixed, moving], **{"spacing": 1.0, name: float("nan")})
    with pytest.raises(ValueError, match="out_of_plane"):
        refine_poses([fixed, moving], 1.0, out_of_plane=-1)
    with pytest.raises(ValueError, match="iterations"):
        refine_poses([fixed, moving], 1.0, iterations=0)


def test_spline_step_solves_the_normal_equations():
    rng = np.random.default_rng(0)
    spline = PenalisedSpline(23, 5.0)
    half = rng.normal(size=(23, 6, 6))
    hessian, gradient = half @ half.transpose(0, 2, 1), rng.normal(size=(23, 6))
    controls = rng.normal(size=(spline.controls, 6))
    step = spline.step(gradient, hessian, controls, 2.0, 0.1, 0.01)
    basis = spline.at_frames  # linear: its matrix from unit vectors
    unit = np.eye(spline.controls * 6).reshape(-1, spline.controls, 6)
    matrix = np.stack([basis(u).ravel() for u in unit], axis=1)
    second = np.kron(np.diff(np.eye(spline.controls), 2, axis=0), np.eye(6))
    penalty = 2.0 * second.T @ second + 0.1 * np.eye(matrix.shape[1])
    blocks = np.zeros((138, 138))
    for n in range(23):
        blocks[6 * n : 6 * n + 6, 6 * n : 6 * n + 6] = hessian[n]
    whole = matrix.T @ blocks @ matrix + penalty + 0.01 * np.eye(len(penalty))
    expected = np.linalg.solve(whole, matrix.T @ gradient.ravel() - penalty @ controls.ravel())
    np.testing.assert_allclose(step.ravel(), expected, atol=1e-10)
    np.testing.assert_allclose(spline.at_frames(np.ones((spline.controls, 6))), 1)


def test_rotation_jacobian_is_the_derivative():
    rng = np.random.default_rng(1)
    vectors, change = rng.normal(size=(5, 3)), 1e-6 * rng.normal(size=(5, 3))
    small = np.einsum("nij,nj->ni", rotation_jacobian(vectors), change)
    np.testing.assert_allclose(
        rotation_matrices(vectors + change), rotation_matrices(small) @ rotation_matrices(vectors), atol=1e-10
    )
