"""The thyroid, prostate and homogeneous phantoms."""

import pickle

import numpy as np
import pytest
from reference.phantom import voxel_volume_ml

from usfast.phantom import TISSUE, CalfPhantom, HomogeneousPhantom, Phantom, ProstatePhantom, ThyroidPhantom, Tissue
from usfast.phantom.quadrature import column_volume


@pytest.mark.parametrize("kind", [ThyroidPhantom, ProstatePhantom])
@pytest.mark.parametrize("seed", range(8))
def test_structures_are_disjoint_inside_the_body_and_are_the_labels(kind, seed):
    phantom = kind(seed)
    assert isinstance(phantom, Phantom)
    points = np.random.default_rng(seed).uniform(*phantom.bounds, (30_000, 3))
    inside = np.stack([structure.level(*points.T) < 0 for structure in phantom.structures])
    assert inside.sum(axis=0).max() == 1
    expected = np.where(inside.any(axis=0), inside.argmax(axis=0) + 1, 0)
    np.testing.assert_array_equal(phantom.labels(points), expected)
    tissue = phantom.tissue(points)
    assert (tissue[inside.any(axis=0)] > 0).all()
    echo = phantom.echo_db(points, tissue)
    assert not np.isnan(echo).any()


@pytest.mark.parametrize("kind", [ThyroidPhantom, ProstatePhantom])
def test_volumes_agree_with_voxel_counts(kind):
    phantom = kind(1)
    for structure in phantom.structures[:2]:
        box = structure.parts[0].box + np.array([[-1.0], [1.0]])
        counted = voxel_volume_ml(phantom, structure.label, 0.6, box)
        assert counted == pytest.approx(structure.volume_ml, rel=3e-3)


def test_thyroid_quadrature_has_converged():
    gland = ThyroidPhantom(3).structures[0]
    assert gland.volume_ml == pytest.approx(column_volume(gland.parts[0], 400, 120, 0.6) / 1000, rel=2e-4)


@pytest.mark.parametrize(("kind", "low", "high"), [(ThyroidPhantom, 8, 25), (ProstatePhantom, 18, 60)])
def test_gland_sizes_are_plausible(kind, low, high):
    for seed in range(2):
        structures = kind(seed).structures
        size = sum(s.volume_ml for s in structures[: 1 if kind is ThyroidPhantom else 3])
        assert low < size < high


@pytest.mark.parametrize("phantom", [ThyroidPhantom(0), ProstatePhantom(0), HomogeneousPhantom()])
def test_skin_separates_gel_from_tissue(phantom):
    points, normals = phantom.skin([10.0, 20.0], 0.0)
    assert (phantom.tissue(points - 0.01 * normals) == 1).all()
    assert (phantom.tissue(points + 0.01 * normals) == 0).all()
    np.testing.assert_allclose(phantom.normal(points), normals, atol=1e-6)


def test_homogeneous_is_one_tissue_without_texture():
    block = HomogeneousPhantom(TISSUE["muscle"], size=20.0)
    points = np.random.default_rng(0).uniform(*block.bounds, (100, 3))
    tissue = block.tissue(points)
    assert (tissue == 1).all()
    assert (block.echo_db(points, tissue) == -22.0).all()
    assert block.structures == ()
    with pytest.raises(ValueError, match="it has none"):
        block.signed_distance(1, points)


def test_bad_arguments_are_named():
    with pytest.raises(TypeError, match="tissue must be a Tissue"):
        HomogeneousPhantom("muscle")
    with pytest.raises(ValueError, match="size must be positive"):
        HomogeneousPhantom(size=-1.0)
    with pytest.raises(ValueError, match="around_deg must be 0"):
        HomogeneousPhantom().skin(0.0, 30.0)
    with pytest.raises(ValueError, match="along_mm"):
        ThyroidPhantom().skin(1e4, 0.0)
    with pytest.raises(ValueError, match="along_mm"):
        ProstatePhantom().skin(1e4, 0.0)
    for wrong in ({"label": 256}, {"echo_db": np.nan}, {"attenuation": -1.0}, {"impedance": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            Tissue(**{"name": "a", "label": 0, "echo_db": 0.0, "attenuation": 1.0, "impedance": 1.0, **wrong})


@pytest.mark.parametrize(
    "phantom", [CalfPhantom(4), ThyroidPhantom(4), ProstatePhantom(4), HomogeneousPhantom(size=9.0)]
)
def test_pickling_keeps_every_answer(phantom):
    points = np.random.default_rng(0).uniform(*phantom.bounds, (2000, 3))
    copy = pickle.loads(pickle.dumps(phantom))
    np.testing.assert_array_equal(copy.tissue(points), phantom.tissue(points))
    np.testing.assert_array_equal(copy.bounds, phantom.bounds)
