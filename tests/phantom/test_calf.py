"""The calf phantom: exact volumes, disjoint structures, plausible subjects, the same bytes for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from reference.phantom import voxel_volume_ml

from usfast.phantom import CalfPhantom, CalfShape, Phantom, label_volume, surface
from usfast.phantom.quadrature import sheet_volume
from usfast.volume import Grid


@pytest.fixture(scope="module")
def calf():
    return CalfPhantom(seed=0)


def random_points(phantom, count, seed=0):
    return np.random.default_rng(seed).uniform(*phantom.bounds, (count, 3))


def test_fulfils_the_protocol(calf):
    assert isinstance(calf, Phantom)
    assert [structure.label for structure in calf.structures] == [1, 2, 3, 4, 5, 6]
    assert calf.tissues[0].name == "gel"


@pytest.mark.parametrize("label", [1, 2, 3, 4, 5])
def test_volume_agrees_with_voxel_counts(calf, label):
    structure = calf.structure(label)
    exact = structure.volume_ml
    counted = voxel_volume_ml(calf, label, 1.4, calf.bounds)
    # Counting n voxels of spacing h errs by about sqrt(surface / h^2) of them: well below 0.25 % here.
    assert counted == pytest.approx(exact, rel=2.5e-3)


def test_counts_converge_on_the_volume(calf):
    exact = calf.structure(6).volume_ml
    box = np.array([[-70.0, -70.0, 150.0], [70.0, 70.0, 154.0]])
    part = exact * 4.0 / calf.shape.length  # the vessels' cross-section is the same all along
    errors = [abs(voxel_volume_ml(calf, 6, spacing, box) - part) / part for spacing in (0.5, 0.2)]
    assert errors[0] < 0.05
    assert errors[1] < 0.01


def test_quadrature_has_converged(calf, monkeypatch):
    from usfast.phantom import calf as module

    coarse = [calf.structure(label).volume_ml for label in (1, 3)]
    monkeypatch.setattr(module, "sheet_volume", lambda *args: sheet_volume(*args, across=340, along=680))
    fine = [CalfPhantom(seed=0).structure(label).volume_ml for label in (1, 3)]
    np.testing.assert_allclose(coarse, fine, rtol=1e-4)


def test_structures_are_disjoint_and_are_the_labels(calf):
    x, y, z = points = random_points(calf, 200_000).T
    inside = np.stack([structure.level(x, y, z) < 0 for structure in calf.structures])
    assert inside.sum(axis=0).max() == 1
    expected = np.where(inside.any(axis=0), inside.argmax(axis=0) + 1, 0)
    np.testing.assert_array_equal(calf.labels(points.T), expected)


def test_44_subjects_are_plausible_and_valid():
    rows, girths = [], []
    for seed in range(44):
        calf = CalfPhantom(seed)
        x, y, z = points = random_points(calf, 4000, seed).T
        inside = np.stack([structure.level(x, y, z) < 0 for structure in calf.structures])
        assert inside.sum(axis=0).max() == 1
        expected = np.where(inside.any(axis=0), inside.argmax(axis=0) + 1, 0)
        np.testing.assert_array_equal(calf.labels(points.T), expected)
        t = np.linspace(0, 1, 101)
        girths.append(2 * np.pi * calf._mean_radius(t).max())
        rows.append([np.mean(inside[k]) * np.prod(np.diff(calf.bounds, axis=0)) / 1000 for k in range(3)])
    assert min(girths) > 320
    assert max(girths) < 440
    assert np.std(girths) > 8
    medialis, lateralis, soleus = np.mean(rows, axis=0)
    assert 150 < medialis < 260
    assert 90 < lateralis < 160
    assert 300 < soleus < 500


@pytest.mark.parametrize("seed", range(0, 44, 4))
def test_vessels_and_bones_stay_apart_from_everything(seed):
    calf = CalfPhantom(seed)
    s = calf.shape
    z = np.linspace(0.0, s.length, 80)
    t = z / s.length
    mean = calf._mean_radius(t)
    around = np.linspace(0, 2 * np.pi, 24, endpoint=False)[:, None]
    axes = [(5, cx, cy, radius * np.ones_like(z)) for cx, cy, radius in calf._vessel_axes(t, mean)]
    axes += [(k, *calf._bone_axis(t, mean, which)) for k, which in ((3, "tibia"), (4, "fibula"))]
    for number, cx, cy, radius in axes:
        reach = radius * (1 + 0.09 * np.sin(3 * around)) if number < 5 else radius
        x, y = cx + reach * np.cos(around), cy + reach * np.sin(around)
        zz = np.broadcast_to(z, x.shape)
        for other in range(6):
            if other != number:
                assert calf.structures[other].level(x, y, zz).min() > 0
        # Nothing breaks through the skin.
        assert calf._at(x, y, zz).skin.max() < -1.8


def test_same_seed_same_bytes():
    points = random_points(CalfPhantom(5), 20_000).astype(np.float32)
    answers = []
    for _ in range(2):
        calf = CalfPhantom(5)
        tissue = calf.tissue(points)
        answers.append((tissue.tobytes(), calf.echo_db(points, tissue).tobytes()))
    assert answers[0] == answers[1]
    assert answers[0][0] != CalfPhantom(6).tissue(points).tobytes()


def test_answers_do_not_depend_on_the_other_points(calf):
    points = random_points(calf, 40_000)
    whole = calf.tissue(points)
    np.testing.assert_array_equal(whole[::7], calf.tissue(points[::7]))
    order = np.random.default_rng(1).permutation(len(points))
    np.testing.assert_array_equal(whole[order], calf.tissue(points[order].reshape(200, 200, 3)).ravel())


def test_float32_is_kept_and_agrees(calf):
    points = random_points(calf, 50_000)
    single = points.astype(np.float32)
    assert calf.normal(single[:100]).dtype == np.float32
    assert calf.echo_db(single, calf.tissue(single)).dtype == np.float32
    assert np.mean(calf.tissue(points) != calf.tissue(single)) < 1e-4


def test_echo_is_anechoic_in_gel_and_textured_in_muscle(calf):
    points = random_points(calf, 50_000)
    tissue = calf.tissue(points)
    echo = calf.echo_db(points, tissue)
    assert np.isneginf(echo[tissue == 0]).all()
    assert np.isfinite(echo[tissue > 0]).all()
    assert 1.5 < echo[tissue == 4].std() < 8
    assert abs(echo[tissue == 4].mean() + 22) < 2.5


def test_normals_are_unit_and_point_out_of_the_skin(calf):
    points, normals = calf.skin(np.linspace(20, 300, 9), np.linspace(-80, 80, 9))
    np.testing.assert_allclose(np.linalg.norm(normals, axis=-1), 1.0)
    np.testing.assert_allclose(calf.normal(points), normals, atol=1e-6)
    np.testing.assert_allclose(calf.normal(points.astype(np.float32)), normals, atol=5e-3)
    assert (calf.tissue(points - 0.01 * normals) == 1).all()
    assert (calf.tissue(points + 0.01 * normals) == 0).all()


def test_label_volume_follows_the_grid(calf):
    grid = Grid((30, 20, 3), (2.0, 3.0, 5.0), (-30.0, -50.0, 100.0))
    calls = []
    volume = label_volume(calf, grid, progress=lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert volume.array[2, 10, 20] == calf.labels([-30.0 + 40.0, -50.0 + 30.0, 110.0])
    assert set(np.unique(volume.array)) >= {0, 1, 2, 3}


def test_surface_lies_on_the_structure_and_encloses_it(calf):
    vertices, faces = surface(calf, "gastrocnemius medialis", spacing=3.0)
    level = calf.structure(1).level(*vertices.T)
    assert np.percentile(np.abs(level), 99) < 1e-6
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    enclosed = np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6000
    assert enclosed == pytest.approx(calf.structure(1).volume_ml, rel=0.02)


def test_a_given_shape_is_used():
    shape = replace(CalfShape(), length=300.0)
    assert CalfPhantom(1, shape=shape).bounds[1, 2] == 300.0
    with pytest.raises(TypeError, match="shape must be a CalfShape"):
        CalfPhantom(shape=3)


def test_bad_arguments_are_named(calf):
    with pytest.raises(ValueError, match=r"points must have shape \(\.\.\., 3\)"):
        calf.tissue(np.zeros((4, 2)))
    with pytest.raises(ValueError, match="NaN"):
        calf.tissue([np.nan, 0, 0])
    with pytest.raises(ValueError, match="tissue has shape"):
        calf.echo_db(np.zeros((4, 3)), np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="whole numbers from 0 to 11"):
        calf.echo_db(np.zeros((1, 3)), [99])
    with pytest.raises(ValueError, match="no structure 'spleen'"):
        calf.signed_distance("spleen", [[0, 0, 0]])
    with pytest.raises(ValueError, match="along_mm"):
        calf.skin(-1.0, 0.0)
    with pytest.raises(ValueError, match="seed"):
        CalfPhantom(-1)
    with pytest.raises(ValueError, match="spacing must be positive"):
        surface(calf, 1, spacing=0.0)
    with pytest.raises(TypeError, match="grid must be a Grid"):
        label_volume(calf, 3)
    assert calf.tissue(np.zeros((0, 3))).shape == (0,)
    assert calf.tissue([0.0, 0.0, 10.0]).shape == ()
