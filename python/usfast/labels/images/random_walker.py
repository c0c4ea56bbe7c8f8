"""Labels of the seeds that a random walk from each voxel most likely meets first."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import choice, positive
from usfast.labels.images.scenes import as_scene
from usfast.volume import Volume

__all__ = ["random_walker"]

_SOLVERS = ("cg_j", "cg_mg", "bf")


def random_walker(
    volume: ArrayLike | Volume,
    seeds: ArrayLike | Volume,
    *,
    spacing: ArrayLike | None = None,
    beta: float = 130.0,
    solver: str = "cg_j",
    tolerance: float = 1e-3,
    mask: ArrayLike | Volume | None = None,
    background: int | None = None,
) -> NDArray[Any] | Volume:
    """Give each voxel the label whose seeds a random walk that shuns steep steps most likely reaches first.

    Parameters
    ----------
    volume : (Z, Y, X) array of real numbers, or Volume
        The image.
    seeds : (Z, Y, X) array of bool or integers, or Volume
        0 is unknown.
    spacing : float or (z, y, x), optional
        Of a bare array, mm; default 1. Only its ratios count: a difference along a longer step weighs less.
    beta : float
        How much the walk shuns differences: a step weighs ``exp(-beta d**2 / (10 s))``, where d is the difference and s
        the standard deviation of the image scaled to the range 0 to 1.
    solver : {"cg_j", "cg_mg", "bf"}
        Of scikit-image. `"cg_mg"` (multigrid; needs pyamg) is fastest on large boxes, `"bf"` is exact and for small
        ones.
    tolerance : float
        Relative residual at which the conjugate gradient ends. Few seeds in a large box make it end late.
    mask : (Z, Y, X) array of bool, or Volume, optional
        Where the walk may go.
    background : int, optional
        The label of `seeds` that marks background: 0 in the result.

    Returns
    -------
    (Z, Y, X) array of the seeds' type, or Volume where `volume` is one
        0 outside the mask and where no walk meets a seed.

    Raises
    ------
    ValueError, TypeError
        If shapes differ, the image holds NaN inside the mask, there are no seeds or only one label of them.
    ImportError
        If `solver` is ``"cg_mg"`` and pyamg is not installed.

    Notes
    -----
    L. Grady, IEEE PAMI 28(11), 2006, by `skimage.segmentation.random_walker`. Memory: some 300 bytes a voxel of the
    mask's box and 8 more for each label; not for a volume of 500 million voxels without a mask.

    Examples
    --------
    >>> image = np.zeros((3, 3, 8))
    >>> image[..., 3:] = 1
    >>> seeds = np.zeros(image.shape, np.uint8)
    >>> seeds[1, 1, 0], seeds[1, 1, 7] = 1, 2
    >>> random_walker(image, seeds, background=2)[1, 1].tolist()
    [1, 1, 1, 0, 0, 0, 0, 0]
    """
    choice("solver", solver, _SOLVERS)
    positive("beta", beta)
    positive("tolerance", tolerance)
    if solver == "cg_mg" and importlib.util.find_spec("pyamg") is None:
        raise ImportError('solver "cg_mg" needs pyamg: pip install pyamg')
    scene = as_scene(volume, seeds, spacing, mask, background)
    low, high = scene.levels()
    image = (scene.image - low).astype(np.float64) / max(high - low, 1e-300)
    marks = scene.seeds.astype(np.int32)
    if scene.mask is not None:
        image[~scene.mask] = image[scene.mask].mean()  # no influence but a small one on the standard deviation
        marks[~scene.mask] = -1
    if not (marks == 0).any():
        return scene.restored(np.maximum(marks, 0))
    label = _walk(image, marks, beta, solver, tolerance, np.divide(scene.spacing, min(scene.spacing)))
    return scene.restored(np.maximum(label, 0))


def _walk(
    image: NDArray[np.float64],
    marks: NDArray[np.int32],
    beta: float,
    solver: str,
    tolerance: float,
    spacing: NDArray[np.float64],
) -> NDArray[Any]:
    from skimage.segmentation import random_walker as walk

    if float(image.std()) == 0:  # it divides by that; any scale does where nothing differs
        image = image.copy()
        image.flat[0] += 1e-6
        beta = 1e-300
    with warnings.catch_warnings():
        # Seeds that no unknown voxel touches stay as they are, which is what is wanted.
        warnings.filterwarnings("ignore", message="Random walker only segments unlabeled areas")
        # A share of a label may miss the range from 0 to 1 by what the solver's tolerance leaves.
        slack = max(1e-3, 100 * tolerance)
        return np.asarray(walk(image, marks, beta=beta, mode=solver, tol=tolerance, spacing=spacing, prob_tol=slack))
