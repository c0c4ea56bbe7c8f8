"""Surface distances: against brute force, and against what packages publish."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from reference.surface import border_points, corner_points, nearest

from usfast import GeometryError, Volume, metrics
from usfast.metrics.surfels import contour_lengths, surfel_areas

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "surface.json").read_text())


def unpacked(text: str, shape: list[int]) -> NDArray[np.bool_]:
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8))
    return bits[: np.prod(shape)].reshape(shape).astype(bool)


def cases(package: str) -> list[Any]:
    found = [case for case in GOLDEN["cases"] if case["peers"].get(package)]
    return [pytest.param(case, id=case["id"]) for case in found]


def measured(case: dict[str, Any], **options: Any) -> metrics.SurfaceMetrics:
    pred, ref = (unpacked(case[name], case["shape"]) for name in ("pred", "ref"))
    return metrics.surface(pred, ref, case["spacing"], tolerances=[case["tolerance"]], **options)


def check(case: dict[str, Any], result: metrics.SurfaceMetrics, expected: dict[str, Any], rel: float) -> None:
    found = {
        "hd": result.hd,
        "hd95": result.hd_percentile[95],
        "assd": result.assd,
        "masd": result.masd,
        "nsd": result.nsd[case["tolerance"]],
        "asd_pred_to_gt": result.asd_pred_to_ref,
        "asd_gt_to_pred": result.asd_ref_to_pred,
        "asd_pr2gt": result.asd_pred_to_ref,
        "asd_gt2pr": result.asd_ref_to_pred,
    }
    for name in found.keys() & expected.keys():
        assert found[name] == pytest.approx(float(expected[name]), rel=rel, abs=rel), name


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in GOLDEN["cases"]])
def test_brute_force_figures(case: dict[str, Any]) -> None:
    check(case, measured(case), case["brute_force"], 1e-9)
    pooled = measured(case, hd_percentile="pooled")
    assert pooled.hd_percentile[95] == pytest.approx(case["brute_force"]["hd95_pooled"], rel=1e-9)


# MONAI keeps float32.
@pytest.mark.parametrize(
    "package, rel", [("monai", 1e-4), ("medpy", 1e-6), ("metrics_reloaded", 1e-6), ("panoptica", 1e-6)]
)
def test_packages_that_use_border_voxels(package: str, rel: float) -> None:
    for parameter in cases(package):
        (case,) = parameter.values
        check(case, measured(case, preset=package), case["peers"][package], rel)


@pytest.mark.parametrize("case", cases("deepmind"))
def test_deepmind(case: dict[str, Any]) -> None:
    # Its list of figures calls the mean of the two directed means ASSD.
    expected = {name: value for name, value in case["peers"]["deepmind"].items() if name != "assd"}
    check(case, measured(case, preset="deepmind"), expected, 1e-6)


@pytest.mark.parametrize("case", cases("medpy"))
def test_medpy_with_full_connectivity(case: dict[str, Any]) -> None:
    expected = case["peers"]["medpy"]
    if "hd_conn_full" not in expected:
        pytest.skip("not recorded for this case")
    result = measured(case, preset="medpy", connectivity=len(case["shape"]))
    assert result.hd == pytest.approx(expected["hd_conn_full"], rel=1e-6)
    assert result.assd == pytest.approx(expected["assd_conn_full"], rel=1e-6)


def shaped(rule: dict[str, Any], shape: list[int]) -> NDArray[np.bool_] | None:
    """Return a mask of a published test, or None where its rule is of another kind."""
    mask = np.zeros(shape, bool)
    for box in rule.get("boxes", []):
        mask[tuple(slice(*side) for side in box)] = True
    for point in rule.get("points", []):
        mask[tuple(point)] = True
    if "array" in rule:
        mask[...] = np.asarray(rule["array"], bool)
    if "sphere" in rule:
        ball = rule["sphere"]
        place = np.indices(shape) * np.reshape(ball["mask_spacing"], (-1, 1, 1, 1))
        apart = place - np.reshape(ball["centre_mm"], (-1, 1, 1, 1))
        mask |= (apart**2).sum(axis=0) <= ball["radius_mm"] ** 2
    return None if "complement_of" in rule else mask


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in GOLDEN["published"]])
def test_figures_of_the_packages_own_tests(case: dict[str, Any]) -> None:
    ref, pred = (shaped(case[name], case["shape"]) for name in ("gt", "pred"))
    if ref is None or pred is None or ref.ndim == 1:
        pytest.skip("one-dimensional, or a rule of its own")
    if not ref.any() or not pred.any():
        pytest.skip("empty masks: packages disagree; test_empty_masks has ours")
    preset = "deepmind" if case["definition"] == "surfel" else "panoptica" if "panoptica" in case["source"] else None
    tolerances = [
        float(name.removeprefix("nsd_at_").removesuffix("mm")) for name in case["expected"] if "nsd_at_" in name
    ]
    result = metrics.surface(pred, ref, case["spacing"], tolerances=tolerances, preset=preset)
    found = {
        "hd": result.hd,
        "hd95": result.hd_percentile[95],
        "assd": result.assd,
        "masd": result.masd,
        "asd_pred_to_gt": result.asd_pred_to_ref,
        "asd_gt_to_pred": result.asd_ref_to_pred,
        "assd_panoptica": result.assd,
        "hd_directed_pred_to_gt": result.pred_to_ref.maximum,
        "overlap_pred_at_1mm": result.pred_to_ref.share_within(1.0),
        "overlap_gt_at_1mm": result.ref_to_pred.share_within(1.0),
        "dice": metrics.overlap(pred, ref).dice,
    }
    for tolerance in tolerances:
        found[f"nsd_at_{tolerance:g}"] = found[f"nsd_at_{tolerance:g}mm"] = result.nsd[tolerance]
    for name in found.keys() & case["expected"].keys():
        assert found[name] == pytest.approx(
            float(case["expected"][name]), rel=max(case["tol"], 1e-6), abs=max(case["tol"], 1e-6)
        ), name


def random_pair(seed: int, shape: tuple[int, ...]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    random = np.random.default_rng(seed)
    density = random.choice([0.003, 0.05, 0.5, 0.97])
    return random.random(shape) < density, random.random(shape) < density


SHAPES = st.one_of(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 150)),
    st.tuples(st.integers(1, 30), st.integers(1, 150)),
)


@given(
    st.integers(0, 2**32), SHAPES, st.integers(1, 3), st.booleans(), st.tuples(*[st.sampled_from([0.3, 1.0, 2.5])] * 3)
)
@settings(max_examples=120, deadline=None)
def test_border_voxels_against_brute_force(
    seed: int, shape: tuple[int, ...], connectivity: int, edge: bool, steps: tuple[float, ...]
) -> None:
    pred, ref = random_pair(seed, shape)
    spacing = steps[-len(shape) :]
    a, b = (border_points(mask, connectivity, edge) for mask in (pred, ref))
    forward, backward = nearest(a, b, spacing), nearest(b, a, spacing)
    result = metrics.surface(
        pred, ref, spacing, connectivity=connectivity, edge="surface" if edge else "open", num_threads=2
    )
    for table, expected in ((result.pred_to_ref, forward), (result.ref_to_pred, backward)):
        distances = np.repeat(table.distance, table.weight.astype(int))
        np.testing.assert_allclose(distances, np.sort(expected), rtol=1e-12)
    if len(a) and len(b) and pred.any() and ref.any():
        assert result.hd == max(forward.max(), backward.max())
        expected95 = max(np.percentile(forward, 95), np.percentile(backward, 95))
        assert result.hd_percentile[95] == pytest.approx(expected95, rel=1e-12)


@given(st.integers(0, 2**32), SHAPES, st.tuples(*[st.sampled_from([0.3, 1.0, 2.5])] * 3))
@settings(max_examples=80, deadline=None)
def test_surfels_against_brute_force(seed: int, shape: tuple[int, ...], steps: tuple[float, ...]) -> None:
    pred, ref = random_pair(seed, shape)
    spacing = steps[-len(shape) :]
    areas = surfel_areas(spacing) if len(shape) == 3 else contour_lengths(spacing)  # type: ignore[arg-type]
    (a, code_a), (b, code_b) = corner_points(pred), corner_points(ref)
    result = metrics.surface(pred, ref, spacing, definition="surfel")
    for table, start, end, code in (
        (result.pred_to_ref, a, b, code_a),
        (result.ref_to_pred, b, a, code_b),
    ):
        distance = nearest(start, end, spacing)
        assert table.total == pytest.approx(areas[code].sum(), rel=1e-12)
        assert table.maximum == pytest.approx(distance.max(initial=-np.inf) if len(distance) else np.nan, nan_ok=True)
        if len(start) and len(end):
            assert table.mean == pytest.approx((distance * areas[code]).sum() / areas[code].sum(), rel=1e-9)


def ball(size: int, radius: float, shift: tuple[float, float, float]) -> NDArray[np.bool_]:
    z, y, x = np.ogrid[:size, :size, :size]
    middle = size / 2
    return (z - middle - shift[0]) ** 2 + (y - middle - shift[1]) ** 2 + (x - middle - shift[2]) ** 2 < radius**2


@pytest.mark.parametrize("definition", ["voxel", "surfel"])
def test_far_surfaces_by_search_and_by_transform(definition: str) -> None:
    """Elements far away take other ways through the kernel: rows farther off, or the distance transform."""
    from scipy.spatial import cKDTree

    random = np.random.default_rng(3)
    ref = ball(90, 30, (0, 0, 0))
    island = ref.copy()
    island[2:4, 2:4, 2:4] = True
    far = np.zeros_like(ref)
    far[80:85, 3:6, 80:85] = True
    for pred in (island, far, ref ^ (random.random(ref.shape) < 0.002)):
        spacing = (1.3, 0.7, 1.0)
        result = metrics.surface(pred, ref, spacing, definition=definition)
        if definition == "voxel":
            a, b = (border_points(mask, 1, True) * np.asarray(spacing) for mask in (pred, ref))
        else:
            a, b = (corner_points(mask)[0] * np.asarray(spacing) for mask in (pred, ref))
        assert result.hd == pytest.approx(max(cKDTree(b).query(a)[0].max(), cKDTree(a).query(b)[0].max()), rel=1e-12)
        if definition == "voxel":
            assert result.asd_pred_to_ref == pytest.approx(cKDTree(b).query(a)[0].mean(), rel=1e-9)


@given(st.integers(0, 2**32))
@settings(max_examples=30, deadline=None)
def test_laws(seed: int) -> None:
    a, b = random_pair(seed, (6, 7, 8))
    c, _ = random_pair(seed + 1, (6, 7, 8))
    if not (a.any() and b.any() and c.any()):
        return
    one, other = metrics.surface(a, b), metrics.surface(b, a)
    assert (one.hd, one.assd, one.nsd) == (other.hd, pytest.approx(other.assd), other.nsd)
    scaled = metrics.surface(a, b, spacing=3.0, tolerances=[3.0])
    assert scaled.hd == pytest.approx(3 * one.hd) and scaled.assd == pytest.approx(3 * one.assd)
    assert scaled.nsd[3.0] == one.nsd[1.0]
    assert metrics.surface(a, c).hd <= one.hd + metrics.surface(b, c).hd + 1e-9
    same = metrics.surface(a, a)
    assert (same.hd, same.assd, same.masd, same.nsd[1.0]) == (0, 0, 0, 1)


def test_threads_do_not_change_a_bit() -> None:
    random = np.random.default_rng(0)
    pred, ref = ball(60, 20, (0.3, 1, 2)) ^ (random.random((60, 60, 60)) < 0.01), ball(60, 21, (0, 0, 0))
    for definition in ("voxel", "surfel"):
        one, two = (metrics.surface(pred, ref, (0.3, 0.4, 1.1), definition=definition, num_threads=n) for n in (1, 2))
        assert one.pred_to_ref.distance.tobytes() == two.pred_to_ref.distance.tobytes()
        assert one.pred_to_ref.weight.tobytes() == two.pred_to_ref.weight.tobytes()
        assert one.assd == two.assd


def test_labels_are_measured_each_on_its_own() -> None:
    random = np.random.default_rng(1)
    ref = np.kron(random.integers(0, 4, (4, 5, 6)), np.ones((5, 5, 5), int)).astype(np.uint16) * 300
    pred = np.roll(ref, 2, axis=1)
    every = metrics.surface(pred, ref, (2.0, 1.0, 0.5), labels="all", boundary_width=1.0)
    assert sorted(every) == [300, 600, 900]
    for label, found in every.items():
        alone = metrics.surface(pred == label, ref == label, (2.0, 1.0, 0.5), boundary_width=1.0)
        assert (found.hd, found.nsd, found.boundary_iou) == (alone.hd, alone.nsd, alone.boundary_iou)
        assert found.assd == pytest.approx(alone.assd, rel=1e-12)
        open_edge = metrics.surface(pred, ref, labels=[label], edge="open")[label]
        assert open_edge.hd == metrics.surface(pred == label, ref == label, edge="open").hd
    absent = metrics.surface(pred, ref, labels=[7])[7]
    assert np.isnan(absent.hd) and np.isnan(absent.nsd[1.0])


def test_only_restricts_where_distances_start() -> None:
    pred, ref = ball(40, 12, (0, 0, 2)), ball(40, 12, (0, 0, 0))
    left = np.zeros(pred.shape, bool)
    left[:, :, :20] = True
    halves = [metrics.surface(pred, ref, only=part) for part in (left, ~left)]
    whole = metrics.surface(pred, ref)
    assert sum(half.pred_to_ref.total for half in halves) == whole.pred_to_ref.total
    assert max(half.hd for half in halves) == whole.hd
    image = metrics.surface(pred[20], ref[20], only=left[20])
    assert 0 < image.pred_to_ref.total < metrics.surface(pred[20], ref[20]).pred_to_ref.total
    labelled = metrics.surface(pred.astype(int), ref.astype(int), labels="all", only=left)[1]
    assert labelled.assd == pytest.approx(halves[0].assd)


def test_mesh_lies_below_the_voxel() -> None:
    """Two spheres 1 mm apart in radius: the mesh says so within a few hundredths."""
    result = metrics.surface(ball(50, 18, (0.3, 0.1, 0.2)), ball(50, 17, (0.3, 0.1, 0.2)), definition="mesh")
    assert result.assd == pytest.approx(1.0, abs=0.1)
    image = metrics.surface(ball(50, 18, (0.5, 0, 0))[25], ball(50, 17, (0.5, 0, 0))[25], definition="mesh")
    assert image.assd == pytest.approx(1.0, abs=0.1)


def test_mesh_distances_are_exact() -> None:
    """Two parallel plates; every facet of one is exactly the gap from the other."""
    pred, ref = (np.zeros((12, 20, 20), bool) for _ in range(2))
    pred[2:4, 2:18, 2:18] = True
    ref[7:9, 2:18, 2:18] = True
    result = metrics.surface(pred, ref, (2.0, 1.0, 1.0), definition="mesh")
    lower_face = result.pred_to_ref.weight[np.isclose(result.pred_to_ref.distance, 6.0)].sum()
    assert lower_face >= 14 * 14
    assert result.pred_to_ref.distance[0] == pytest.approx(6.0)


@pytest.mark.parametrize(
    "policy, one, both",
    [
        ("inf", (np.inf, 0.0), (np.nan, np.nan)),
        ("nan", (np.nan, np.nan), (np.nan, np.nan)),
        ("worst", (np.hypot(np.hypot(7, 8), 18), 0.0), (np.nan, np.nan)),
        ("reloaded", (np.inf, 0.0), (0.0, 1.0)),
    ],
)
@pytest.mark.parametrize("definition", ["voxel", "surfel", "mesh"])
def test_empty_masks(policy: str, one: tuple[float, float], both: tuple[float, float], definition: str) -> None:
    empty, full = np.zeros((8, 9, 10), bool), np.zeros((8, 9, 10), bool)
    full[2:5, 3:6, 4:7] = True
    for pred, ref, expected in ((empty, full, one), (full, empty, one), (empty, empty, both)):
        s = metrics.surface(pred, ref, (1.0, 1.0, 2.0), empty=policy, definition=definition)
        for value in (s.hd, s.hd_percentile[95], s.assd, s.masd, s.asd_pred_to_ref, s.asd_ref_to_pred):
            assert value == pytest.approx(expected[0], nan_ok=True)
        assert s.nsd[1.0] == pytest.approx(expected[1], nan_ok=True)


def test_the_worst_distance_is_that_of_the_whole_image() -> None:
    ref = np.zeros((40, 40), int)
    ref[10:14, 10:14] = 3
    found = metrics.surface(np.zeros_like(ref), ref, labels=[3], empty="worst")[3]
    assert found.hd == pytest.approx(np.hypot(39, 39))


def test_empty_masks_can_be_an_error() -> None:
    empty, full = np.zeros((4, 4), bool), np.ones((4, 4), bool)
    with pytest.raises(ValueError, match="pred is empty"):
        metrics.surface(empty, full, empty="raise")
    with pytest.raises(ValueError, match="pred and ref are empty"):
        metrics.surface(empty, empty, empty="raise")


def test_masks_without_a_border() -> None:
    """A mask that fills the image has a border at the image's edge, or none where the edge is open."""
    full, part = np.ones((5, 6, 7), bool), np.ones((5, 6, 7), bool)
    part[2, 3, 3] = False
    assert metrics.surface(full, full).hd == 0
    assert metrics.surface(full, part).hd == 2.0  # from beside the hole to the image's edge
    open_edge = metrics.surface(full, part, edge="open")
    assert open_edge.pred_to_ref.total == 0 and open_edge.ref_to_pred.total == 6
    assert open_edge.hd == np.inf


def test_volumes_bring_their_spacing() -> None:
    mask = ball(20, 6, (0, 0, 0)).astype(np.uint8)
    pred, ref = (Volume(np.roll(mask, n, axis=0), spacing=(1.0, 2.0, 3.0)) for n in (1, 0))
    assert metrics.surface(pred, ref).hd == 3.0
    with pytest.raises(ValueError, match="spacing comes with a Volume"):
        metrics.surface(pred, ref, 1.0)
    with pytest.raises(ValueError, match="both be volumes"):
        metrics.surface(pred, mask)
    for name, other in (
        ("spacing", dict(spacing=(1.0, 2.0, 3.5))),
        ("origin", dict(spacing=(1.0, 2.0, 3.0), origin=(1, 0, 0))),
    ):
        with pytest.raises(GeometryError, match=f"not lie on one grid: {name}"):
            metrics.surface(pred, Volume(mask, **other))
    with pytest.raises(GeometryError, match=r"\(20, 20, 20\) voxels"):
        metrics.surface(pred, Volume(mask[:-1], spacing=(1.0, 2.0, 3.0)))


@pytest.mark.parametrize(
    "dtype", [bool, np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32, np.int64, np.uint64, ">i2"]
)
def test_every_integer_type(dtype: Any) -> None:
    pred, ref = ball(20, 6, (0, 1, 0)), ball(20, 6, (0, 0, 0))
    assert metrics.surface(pred.astype(dtype), ref.astype(dtype)).assd == metrics.surface(pred, ref).assd
    assert metrics.surface(pred.astype(dtype), ref).assd == metrics.surface(pred, ref).assd
    assert metrics.surface(np.asfortranarray(pred.astype(dtype)), ref).assd == metrics.surface(pred, ref).assd


MASK = np.zeros((4, 5, 6), np.uint8)


@pytest.mark.parametrize(
    "arguments, options, message",
    [
        ((MASK, MASK[1:]), {}, r"pred has shape \(4, 5, 6\), but ref \(3, 5, 6\)"),
        ((MASK[0, 0], MASK[0, 0]), {}, "non-empty image"),
        ((MASK[:0], MASK[:0]), {}, "non-empty image"),
        ((MASK, MASK, (1, 1)), {}, r"one number or \(z, y, x\)"),
        ((MASK, MASK, (1, 1, 0)), {}, "must be positive"),
        ((MASK, MASK, np.nan), {}, "must be positive"),
        ((MASK, MASK), {"percentiles": [101]}, "between 0 and 100"),
        ((MASK, MASK), {"tolerances": [-1]}, "must not be negative"),
        ((MASK, MASK), {"boundary_width": 0}, "must be positive"),
        ((MASK, MASK), {"definition": "pixel"}, "definition must be one of voxel, surfel, mesh"),
        ((MASK, MASK), {"preset": "itk"}, "preset must be one of monai"),
        ((MASK, MASK), {"definition": "surfel", "edge": "open"}, "belong to definition='voxel'"),
        ((MASK, MASK), {"only": MASK[0]}, "only has shape"),
        ((MASK, MASK), {"labels": [-3]}, "whole numbers"),
        ((np.arange(120).reshape(4, 5, 6), MASK), {}, r"pred holds 119 labels \(1, 2, 3, 4, 5, ...\)"),
        ((MASK.astype(int) - 1, MASK), {}, "negative label -1"),
    ],
)
def test_wrong_values(arguments: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.surface(*arguments, **options)


def test_wrong_types() -> None:
    with pytest.raises(TypeError, match="threshold probabilities"):
        metrics.surface(MASK.astype(float), MASK)
    with pytest.raises(TypeError, match="no option 'tolerance'"):
        metrics.surface(MASK, MASK, tolerance=1.0)


def test_a_batch_is_its_pairs() -> None:
    random = np.random.default_rng(2)
    pred, ref = (random.integers(0, 3, (4, 9, 10, 11)).astype(np.uint8) for _ in range(2))
    for labels in ([1, 2], "all"):
        together = metrics.surface_batch(pred, ref, (1.0, 2.0, 0.5), labels=labels, num_threads=2)
        for found, p, r in zip(together, pred, ref, strict=True):
            alone = metrics.surface(p, r, (1.0, 2.0, 0.5), labels=labels)
            assert {k: s.assd for k, s in found.items()} == {k: s.assd for k, s in alone.items()}  # type: ignore[union-attr]
    assert [s.hd for s in metrics.surface_batch(pred[:, 0] > 0, ref[:, 0] > 0)] == [
        metrics.surface(p[0] > 0, r[0] > 0).hd for p, r in zip(pred, ref, strict=True)
    ]
    with pytest.raises(ValueError, match="must be batches"):
        metrics.surface_batch(pred, ref[:3])
