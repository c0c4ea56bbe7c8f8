"""What others offer for surface distances: each measures HD, HD95, ASSD and NSD at 1 mm of two masks.

Where a package recomputes everything for each number, it is called the way a careful user would call it: once, on
masks cropped to what they hold. A package that is not installed is left out.
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np


def cropped(a, b):
    """Both masks inside the box around both, with one voxel of background."""
    union = a | b
    box = []
    for axis in range(a.ndim):
        found = np.flatnonzero(union.any(axis=tuple(k for k in range(a.ndim) if k != axis)))
        box.append(slice(max(found[0] - 1, 0), found[-1] + 2))
    return a[tuple(box)], b[tuple(box)]


def border(mask):
    """Border voxels: what erosion takes away."""
    from scipy.ndimage import binary_erosion

    return mask ^ binary_erosion(mask)


def summary(forward, backward):
    """HD, HD95, ASSD, NSD of two lists of distances."""
    both = np.concatenate([forward, backward])
    hd95 = max(np.percentile(forward, 95), np.percentile(backward, 95))
    return float(both.max()), float(hd95), float(both.mean()), float((both <= 1).mean())


def ckdtree(a, b, spacing, workers=2):
    """SciPy's cKDTree on the border voxels."""
    from scipy.spatial import cKDTree

    first, second = (np.argwhere(border(mask)) * np.asarray(spacing) for mask in cropped(a, b))
    return summary(cKDTree(second).query(first, workers=workers)[0], cKDTree(first).query(second, workers=workers)[0])


def scipy_edt(a, b, spacing):
    """SciPy's distance transform of the borders."""
    from scipy.ndimage import distance_transform_edt

    first, second = (border(mask) for mask in cropped(a, b))
    return summary(distance_transform_edt(~second, spacing)[first], distance_transform_edt(~first, spacing)[second])


def edt(a, b, spacing):
    """seung-lab's edt of the borders, two threads."""
    import edt as library

    first, second = (np.ascontiguousarray(border(mask)) for mask in cropped(a, b))
    to_second, to_first = (library.edt(~mask, anisotropy=spacing, parallel=2) for mask in (second, first))
    return summary(to_second[first], to_first[second])


def deepmind(a, b, spacing):
    """DeepMind's surface-distance: surfels."""
    import surface_distance as library

    found = library.compute_surface_distances(a, b, spacing)
    averages = library.compute_average_surface_distance(found)
    return (
        library.compute_robust_hausdorff(found, 100),
        library.compute_robust_hausdorff(found, 95),
        float(np.mean(averages)),
        library.compute_surface_dice_at_tolerance(found, 1.0),
    )


def monai(a, b, spacing):
    """MONAI's distances between border voxels, once for each direction."""
    from monai.metrics.utils import get_edge_surface_distance

    first, second = (np.ascontiguousarray(mask) for mask in cropped(a, b))
    _, (forward, backward), _ = get_edge_surface_distance(first, second, spacing=spacing, symmetric=True)
    return summary(np.asarray(forward), np.asarray(backward))


def medpy(a, b, spacing):
    """MedPy's hd, hd95 and assd: each computes everything anew."""
    from medpy.metric import binary

    first, second = cropped(a, b)
    results = [function(first, second, voxelspacing=spacing) for function in (binary.hd, binary.hd95, binary.assd)]
    return *results, np.nan


def available(slow):
    """Name -> function; the slow ones only where asked for."""
    found = {"scipy cKDTree": ckdtree, "scipy edt": scipy_edt}
    for package, function in (("edt", edt), ("monai", monai)):
        if find_spec(package):
            found[package] = function
    if slow:
        found.update({p: f for p, f in (("surface_distance", deepmind), ("medpy", medpy)) if find_spec(p)})
    return found
