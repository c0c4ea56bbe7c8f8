"""Shares and distances of distinct and completed borders against brute force, and the thesis' table 2.3."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference import borders as reference

from usfast.borders import BorderKinds, border_kinds, label_border
from usfast.metrics import BorderShares, border_shares, surface, surface_by_kind

few = settings(max_examples=30, deadline=None)


def kinds_of(ref, rng):
    border = label_border(ref)
    distinct = border & (rng.random(ref.shape) < 0.5)
    return BorderKinds(distinct, border & ~distinct, np.zeros(ref.shape, np.float32), 0.0)


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.sampled_from([(9, 11), (5, 6, 7), (1, 6, 7)]))
    density = draw(st.sampled_from((0.1, 0.5, 0.9)))
    pred, ref = (rng.integers(1, 3, shape) * (rng.random(shape) < density) for _ in range(2))
    spacing = draw(st.sampled_from([(1.0,) * len(shape), (2.0, 1.0, 0.7)[: len(shape)]]))
    return pred.astype(np.uint8), ref.astype(np.uint8), kinds_of(ref, rng), spacing


@few
@given(case=cases(), tolerance=st.sampled_from((0.0, 1.0, 2.0)))
def test_shares_match_reference(case, tolerance):
    pred, ref, kinds, spacing = case
    shares = border_shares(pred, ref, kinds, spacing, tolerance=tolerance, labels=[1, 2])
    for label in (1, 2):
        for kind in ("distinct", "completed"):
            mark = getattr(kinds, kind)
            expected = reference.found(pred == label, ref == label, mark, spacing, tolerance)
            assert (shares[label].found_voxels[kind], shares[label].reference_voxels[kind]) == expected


@few
@given(case=cases())
def test_distances_match_reference(case):
    pred, ref, kinds, spacing = case
    by_label = surface_by_kind(pred, ref, kinds, spacing, labels=[1, 2])
    for label in (1, 2):
        if not (pred == label).any() or not (ref == label).any():
            continue
        both = {"distinct": kinds.distinct, "completed": kinds.completed}
        for kind, other in (("distinct", "completed"), ("completed", "distinct")):
            forward, tied, back = reference.distances_by_kind(
                pred == label, ref == label, both[kind], both[other], spacing
            )
            found = by_label[label][kind]
            assert len(forward) <= found.pred_to_ref.total <= len(forward) + len(tied)
            assert found.ref_to_pred.total == len(back)
            if len(back):
                assert found.ref_to_pred.mean == pytest.approx(back.mean())
            if len(forward) and not len(tied):
                assert found.pred_to_ref.mean == pytest.approx(forward.mean())
                assert found.hd == pytest.approx(max(forward.max(), back.max(initial=0)))


@few
@given(case=cases())
def test_kinds_together_are_the_whole(case):
    pred, ref, kinds, spacing = case
    pred, ref = pred > 0, ref > 0
    kinds = kinds_of(ref, np.random.default_rng(0))
    whole, parts = surface(pred, ref, spacing), surface_by_kind(pred, ref, kinds, spacing).values()
    if pred.any() and ref.any():
        for direction in ("pred_to_ref", "ref_to_pred"):
            tables = [getattr(part, direction) for part in parts]
            assert sum(table.total for table in tables) == getattr(whole, direction).total
            weighted = sum(float(table.distance @ table.weight) for table in tables)
            assert weighted == pytest.approx(getattr(whole, direction).mean * getattr(whole, direction).total)
        assert np.nanmax([part.hd for part in parts]) == whole.hd
    shares = border_shares(pred, ref, kinds, spacing)
    if ref.any():
        assert shares.found == pytest.approx(sum(shares.of_border.values()))
        assert sum(shares.reference.values()) == pytest.approx(1)
        assert shares.found == pytest.approx(
            sum(shares.reference[kind] * shares.of_kind[kind] for kind in shares.reference if shares.reference[kind])
        )


# reference, U-Net, Attention U-Net, UNETR as table 2.3 prints them (percent of the whole border), and what that is of
# each kind: the order of the kinds turns round for two networks of the leg.
TABLE_2_3 = {
    "leg": ((54.8, 45.2), {(42.2, 39.9): (77.0, 88.3), (50.4, 35.1): (92.0, 77.7), (23.6, 13.6): (43.1, 30.1)}),
    "thyroid": ((86.7, 13.3), {(80.4, 5.9): (92.7, 44.4), (83.0, 5.1): (95.7, 38.3), (70.5, 4.3): (81.3, 32.3)}),
}


@pytest.mark.parametrize("data", TABLE_2_3)
def test_both_normalisations_of_table_2_3(data):
    reference_row, networks = TABLE_2_3[data]
    voxels = {"distinct": round(10 * reference_row[0]), "completed": round(10 * reference_row[1])}
    for printed, of_kind in networks.items():
        shares = BorderShares(voxels, {"distinct": round(10 * printed[0]), "completed": round(10 * printed[1])}, 1.0)
        assert tuple(100 * share for share in shares.of_border.values()) == pytest.approx(printed)
        assert tuple(100 * share for share in shares.of_kind.values()) == pytest.approx(of_kind, abs=0.06)
        assert 100 * shares.found == pytest.approx(sum(printed))


@pytest.mark.parametrize("definition", ["voxel", "surfel", "mesh"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_what_goes_wrong_in_the_dark_shows_there(definition, ndim):
    ref = np.zeros((24,) * ndim, bool)
    ref[(slice(6, 18),) * ndim] = True
    pred = ref.copy()
    pred[..., 15:] = False  # three voxels short at the far end
    border = label_border(ref)
    dark = np.zeros_like(ref)
    dark[..., 12:] = True
    kinds = BorderKinds(border & ~dark, border & dark, np.zeros(ref.shape, np.float32), 0.0)
    by_kind = surface_by_kind(pred, ref, kinds, definition=definition, tolerances=(0.5,))
    assert by_kind["distinct"].hd == pytest.approx(0, abs=1e-12)
    assert by_kind["completed"].hd == pytest.approx(3, abs=0.51)
    assert by_kind["distinct"].nsd[0.5] == 1 > by_kind["completed"].nsd[0.5]


def test_empty_masks_and_missing_kinds():
    image = np.random.default_rng(0).uniform(0, 1, (12, 12))
    ref = np.zeros((12, 12), bool)
    ref[3:9, 3:9] = True
    nothing = np.zeros_like(ref)
    kinds = border_kinds(image, ref, percentile=100)  # nothing lies above it
    assert border_shares(nothing, ref, kinds).of_kind["completed"] == 0
    assert np.isnan(border_shares(ref, ref, kinds).of_kind["distinct"])
    assert border_shares(ref, ref, kinds).of_border == {"distinct": 0, "completed": 1}
    assert surface_by_kind(nothing, ref, kinds)["completed"].hd == np.inf
    assert surface_by_kind(ref, ref, kinds)["completed"].hd == 0
    assert np.isnan(surface_by_kind(ref, ref, kinds)["distinct"].hd)
    none = border_kinds(image, nothing)
    assert np.isnan(border_shares(ref, nothing, none).found)
    assert surface_by_kind(ref, nothing, none)["distinct"].hd == np.inf
    assert np.isnan(surface_by_kind(nothing, nothing, none)["distinct"].hd)
    assert border_shares(nothing, nothing, none, labels="all") == {}
    assert surface_by_kind(nothing, nothing, none, labels="all") == {}
    with pytest.raises(ValueError, match="pred is empty"):
        surface_by_kind(nothing, ref, kinds, empty="raise")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, k: border_shares(m, m, k, tolerance=-1), "tolerances must not be negative"),
        (lambda m, k: border_shares(m[:5], m[:5], k), r"kinds are of shape \(6, 6\), but the masks \(5, 6\)"),
        (lambda m, k: surface_by_kind(m[:5], m[:5], k), r"kinds are of shape \(6, 6\)"),
        (lambda m, k: surface_by_kind(m, m, k, only=m), "no option 'only'"),
        (lambda m, k: surface_by_kind(m, m, k, boundary_width=2.0), "no option 'boundary_width'"),
        (lambda m, k: surface_by_kind(m, m, k, labels=[-1]), "whole numbers from 0 up, not -1"),
    ],
)
def test_errors(call, message):
    mask = np.ones((6, 6), bool)
    kinds = border_kinds(np.random.default_rng(0).uniform(0, 1, (6, 6)), mask)
    with pytest.raises(ValueError, match=message):
        call(mask, kinds)
