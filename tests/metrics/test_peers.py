"""Presets against the packages themselves, on random pairs; each is skipped where the package is not installed."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from usfast import metrics

PAIRS = 200


def pair(number: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[float, ...]]:
    """Return two overlapping blobs of several components, in 2D or 3D, and a spacing."""
    from scipy.ndimage import gaussian_filter

    random = np.random.default_rng(number)
    shape = random.integers(6, 26, 2 + number % 2)
    base, change = (gaussian_filter(random.standard_normal(shape), random.uniform(0.7, 2)) for _ in range(2))
    pred, ref = base + 0.3 * change > 0.02, base > 0
    pred.flat[0] = ref.flat[-1] = True  # never empty
    return pred, ref, tuple(random.choice([0.5, 1.0, 1.7, 2.0], len(shape)).tolist())


def against(package: str, preset: str, rel: float, theirs: Callable[..., dict[str, float]]) -> None:
    pytest.importorskip(package)
    for number in range(PAIRS):
        pred, ref, spacing = pair(number)
        s = metrics.surface(pred, ref, spacing, preset=preset)
        ours = {"hd": s.hd, "hd95": s.hd_percentile[95], "assd": s.assd, "nsd": s.nsd[1.0]}
        ours |= {"asd_pred_to_ref": s.asd_pred_to_ref, "asd_ref_to_pred": s.asd_ref_to_pred}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs, not ours
            expected = theirs(pred, ref, spacing)
        for name, value in expected.items():
            assert ours[name] == pytest.approx(value, rel=rel, abs=rel), (number, name)


def test_deepmind() -> None:
    def theirs(pred: Any, ref: Any, spacing: Any) -> dict[str, float]:
        import surface_distance as package

        found = package.compute_surface_distances(ref, pred, spacing)
        to_pred, to_ref = package.compute_average_surface_distance(found)
        return {
            "hd": package.compute_robust_hausdorff(found, 100),
            "hd95": package.compute_robust_hausdorff(found, 95),
            "nsd": package.compute_surface_dice_at_tolerance(found, 1.0),
            "asd_ref_to_pred": to_pred,
            "asd_pred_to_ref": to_ref,
        }

    against("surface_distance", "deepmind", 1e-6, theirs)


def test_medpy() -> None:
    def theirs(pred: Any, ref: Any, spacing: Any) -> dict[str, float]:
        from medpy.metric import binary

        names = {"hd": binary.hd, "hd95": binary.hd95, "assd": binary.assd, "asd_pred_to_ref": binary.asd}
        return {name: function(pred, ref, voxelspacing=spacing) for name, function in names.items()}

    against("medpy", "medpy", 1e-6, theirs)


def test_monai() -> None:
    def theirs(pred: Any, ref: Any, spacing: Any) -> dict[str, float]:
        import monai.metrics as package
        import torch

        a, b = (torch.from_numpy(mask)[None, None] for mask in (pred, ref))
        options: dict[str, Any] = {"include_background": True, "spacing": spacing}
        return {
            "hd": float(package.compute_hausdorff_distance(a, b, **options)),
            "hd95": float(package.compute_hausdorff_distance(a, b, percentile=95, **options)),
            "assd": float(package.compute_average_surface_distance(a, b, symmetric=True, **options)),
            "asd_pred_to_ref": float(package.compute_average_surface_distance(a, b, **options)),
            "nsd": float(package.compute_surface_dice(a, b, [1.0], **options)),
        }

    against("monai", "monai", 1e-4, theirs)


def test_monai_subvoxel() -> None:
    def theirs(pred: Any, ref: Any, spacing: Any) -> dict[str, float]:
        import monai.metrics as package
        import torch

        a, b = (torch.from_numpy(mask)[None, None] for mask in (pred, ref))
        options: dict[str, Any] = {"include_background": True, "spacing": spacing, "use_subvoxels": True}
        return {"nsd": float(package.compute_surface_dice(a, b, [1.0], **options))}

    against("monai", "monai_subvoxel", 1e-4, theirs)
