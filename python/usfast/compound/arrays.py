"""Compounding of plain arrays: where the arguments are checked and the kernel is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast._arguments import choice, odd, positive
from usfast._threads import get_num_threads
from usfast.compound.memory import check_memory
from usfast.compound.methods import METHODS as _INTERPOLATE
from usfast.compound.methods.call import interpolate_sweep
from usfast.errors import GeometryError
from usfast.sweep import Sweep
from usfast.volume import Grid

__all__ = ["INTERPOLATION_METHODS", "METHODS", "MODES", "compound_arrays"]

METHODS = ("nearest", "linear", "gaussian")
INTERPOLATION_METHODS = tuple(_INTERPOLATE)
MODES = ("mean", "maximum", "latest", "weighted", "vote")
MAX_KERNEL_SIZE = 33
MAX_WEIGHT = 1e15  # sums of weighted values stay in single precision


@overload
def compound_arrays(
    frames: ArrayLike,
    image_to_world: ArrayLike,
    grid: Grid,
    method: str = ...,
    mode: str = ...,
    *,
    valid: ArrayLike | None = ...,
    mask: ArrayLike | None = ...,
    weights: ArrayLike | None = ...,
    kernel_size: int = ...,
    sigma: float = ...,
    options: Mapping[str, Any] | None = ...,
    statistics: Literal[False] = ...,
    return_weight: Literal[True] = ...,
    num_threads: int | None = ...,
    progress: Callable[[int, int], Any] | None = ...,
) -> tuple[NDArray[Any], NDArray[np.float32]]: ...


@overload
def compound_arrays(
    frames: ArrayLike,
    image_to_world: ArrayLike,
    grid: Grid,
    method: str = ...,
    mode: str = ...,
    *,
    valid: ArrayLike | None = ...,
    mask: ArrayLike | None = ...,
    weights: ArrayLike | None = ...,
    kernel_size: int = ...,
    sigma: float = ...,
    options: Mapping[str, Any] | None = ...,
    statistics: Literal[False] = ...,
    return_weight: Literal[False],
    num_threads: int | None = ...,
    progress: Callable[[int, int], Any] | None = ...,
) -> tuple[NDArray[Any], None]: ...


@overload
def compound_arrays(
    frames: ArrayLike,
    image_to_world: ArrayLike,
    grid: Grid,
    method: str = ...,
    mode: str = ...,
    *,
    valid: ArrayLike | None = ...,
    mask: ArrayLike | None = ...,
    weights: ArrayLike | None = ...,
    kernel_size: int = ...,
    sigma: float = ...,
    options: Mapping[str, Any] | None = ...,
    statistics: Literal[True],
    return_weight: bool = ...,
    num_threads: int | None = ...,
    progress: Callable[[int, int], Any] | None = ...,
) -> tuple[NDArray[Any], NDArray[np.float32] | None, NDArray[np.float32], NDArray[np.uint32]]: ...


def compound_arrays(
    frames: ArrayLike,
    image_to_world: ArrayLike,
    grid: Grid,
    method: str = "linear",
    mode: str = "mean",
    *,
    valid: ArrayLike | None = None,
    mask: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    kernel_size: int = 5,
    sigma: float = 1.0,
    options: Mapping[str, Any] | None = None,
    statistics: bool = False,
    return_weight: bool = True,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> tuple[Any, ...]:
    """Compound frames into the voxels of a grid.

    Each pixel adds to the voxels around its place: to the one whose centre is nearest (`"nearest"`), to the eight
    around it with trilinear weights (`"linear"`), or to ``kernel_size**3`` around the nearest with Gaussian
    weights (`"gaussian"`). Sums are taken in the order of the frames, so the same input gives the same bits for any
    number of threads. Means with linear and Gaussian weights are summed in single precision, weights good to
    1e-6 relative; where thousands of pixels fall into the very same place of a voxel, as from a probe at rest, rounding
    adds up (0.05 grey levels at 10,000 pixels a voxel). Everything else, `statistics` included, is summed in double
    precision or in integers.

    Parameters
    ----------
    frames : (N, H, W) array of uint8 or float32
        Intensities; NaN and infinity are left out, and from means with linear and Gaussian weights also what lies
        beyond 1e15. For ``mode="vote"``: integer labels.
    image_to_world : (N, 4, 4) array
        Takes pixel (u, v, 0, 1), its centre at integer coordinates, to world mm.
    grid : Grid
        Where the voxels are.
    method : {"nearest", "linear", "gaussian"} or one of `INTERPOLATION_METHODS`
        The latter look from the voxel for pixels, or fit functions to them; for ``mode="mean"`` and `"weighted"`.
        They are slower and bridge the gaps between frames by themselves; see the page "Which method".
    mode : {"mean", "maximum", "latest", "weighted", "vote"}
        What becomes of several pixels in one voxel: their weighted mean; the largest; the last in the order of
        frame, row, column; the mean weighted by `weights` too; the label with the most weight (ties: the smaller
        label). `"maximum"` and `"latest"` count a pixel where it weighs at least as much as it must in its
        nearest voxel: 1/8 for `"linear"`, ``exp(-3 / (8 sigma**2))`` for `"gaussian"`.
    valid : (N,) bool array, optional
        Frames to use.
    mask : (H, W) bool array, optional
        Pixels to use.
    weights : (H, W), (N,) or (N, H, W) array, optional
        Importance of pixels or frames, 0 to 1e15, for ``mode="weighted"``.
    kernel_size : odd int
        Width of the Gaussian kernel, voxels.
    sigma : float
        Standard deviation of the Gaussian kernel, voxels.
    options : mapping, optional
        Options of one of the `INTERPOLATION_METHODS`, e.g. ``{"radius": 2.0}``; their docstrings tell which
        (`usfast.compound.methods`).
    statistics : bool
        Return the variance and the number of pixels of each voxel too; for ``"mean"`` and ``"weighted"``. All sums
        are then kept in double precision.
    return_weight : bool
        False: None instead of the weight, which halves the memory of the results.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    volume : (Z, Y, X) float32 array (the frames' dtype for votes)
        0 where no pixel fell.
    weight : (Z, Y, X) float32 array
        Sum of the weights of the pixels that made each voxel; 0 where there is none. None without `return_weight`.
    variance : (Z, Y, X) float32 array
        Only with `statistics`: variance of the values around the mean, weighted as they are (of the population, not
        the sample).
    hits : (Z, Y, X) uint32 array
        Only with `statistics`: number of pixels that reached the voxel with a weight above 0.

    Raises
    ------
    ValueError, TypeError
        If arguments do not fit each other.
    GeometryError
        If a pose is not finite or singular.
    MemoryError
        Before allocating, if the grid would not fit.

    Notes
    -----
    Memory is 4 bytes a voxel for each result, and at most a few tens of megabytes a thread. The grid is cut into
    boxes along the rows of the frames, whichever way these lie in it, and each box is the work of one thread.
    Pixel-based methods after
    Solberg et al., "Freehand 3D ultrasound reconstruction algorithms - a review", Ultrasound Med. Biol. 33 (2007).

    Examples
    --------
    >>> import numpy as np
    >>> from usfast import Grid
    >>> volume, weight = compound_arrays(np.full((1, 4, 4), 7, np.uint8), np.eye(4)[None], Grid((4, 4, 1), 1.0))
    >>> float(volume[0, 2, 2]), float(weight[0, 2, 2])
    (7.0, 1.0)
    >>> frames = np.full((2, 4, 4), [[[2]], [[4]]], np.uint8)
    >>> grid, poses = Grid((4, 4, 1), 1.0), np.stack([np.eye(4)] * 2)
    >>> mean, _, variance, hits = compound_arrays(frames, poses, grid, statistics=True)
    >>> float(mean[0, 2, 2]), float(variance[0, 2, 2]), int(hits[0, 2, 2])
    (3.0, 1.0, 2)
    """
    method = str(choice("method", method, METHODS + INTERPOLATION_METHODS))
    choice("mode", mode, MODES)
    if not isinstance(grid, Grid):
        raise TypeError(f"grid must be a Grid, not {type(grid).__name__}")
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    radius = odd("kernel_size", kernel_size, MAX_KERNEL_SIZE) // 2
    if (weights is not None) != (mode == "weighted"):
        raise ValueError('weights and mode="weighted" go together: give both or neither')
    if statistics and mode not in ("mean", "weighted"):
        raise ValueError(f'statistics are those of a mean, not of mode="{mode}"')
    interpolated = method in INTERPOLATION_METHODS
    if interpolated and (mode not in ("mean", "weighted") or statistics):
        raise ValueError(f"method={method!r} gives means only: no mode={mode!r}, no statistics")
    if options and not interpolated:
        raise TypeError(f"method={method!r} has kernel_size and sigma, but no options {', '.join(options)}")
    classes = None
    if mode == "vote":
        frames, classes = _class_indices(np.asarray(frames))
    sweep = Sweep(frames, image_to_world, valid=valid, mask=mask)
    used = np.flatnonzero(sweep.valid)
    if not used.size:
        raise GeometryError(f"none of the {len(sweep)} frames has a valid pose")
    importance = None if weights is None else _importance(weights, sweep)
    image_to_voxel = _image_to_voxel(sweep, used, grid)
    if interpolated:
        threads = get_num_threads(num_threads)
        found = interpolate_sweep(
            method, sweep, used, image_to_voxel, grid, importance, options or {}, threads, progress
        )
        return found if return_weight else (found[0], None)
    kernel_mode = "mean" if mode == "weighted" else mode
    labels = 0 if classes is None else len(classes)
    threads = get_num_threads(num_threads)
    scratch = _core.compound_scratch(
        image_to_voxel, grid.size, method, kernel_mode, radius, labels, bool(statistics), threads
    )
    result_bytes = 4 if classes is None else 1 + classes.itemsize
    results = result_bytes + 4 * bool(return_weight) + 8 * bool(statistics)
    check_memory(grid, bytes_per_voxel=results + scratch / grid.voxels)
    volume, weight, variance, hits = _core.compound(
        sweep.frames,
        used,
        image_to_voxel,
        grid.size,
        method,
        kernel_mode,
        radius,
        positive("sigma", sigma),
        labels,
        None if sweep.mask is None else sweep.mask.view(np.uint8),
        importance,
        bool(return_weight),
        bool(statistics),
        threads,
        progress,
    )
    volume = volume if classes is None else classes[volume]
    return (volume, weight, variance, hits) if statistics else (volume, weight)


def _image_to_voxel(sweep: Sweep, used: NDArray[np.intp], grid: Grid) -> NDArray[np.float64]:
    """(M, 3, 4) rows that take pixels of the used frames to continuous voxel indices."""
    matrices = (grid.world_to_voxel @ sweep.image_to_world[used])[:, :3]
    if np.abs(matrices).max() > 1e12:
        raise GeometryError("the sweep lies more than 1e12 voxels away from the grid")
    return np.ascontiguousarray(matrices)


def _class_indices(labels: NDArray[Any]) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return labels as indices into the sorted array of the labels that occur, and that array."""
    if labels.dtype.kind not in "bui":
        raise TypeError(f"labels must be integers, not {labels.dtype}")
    # 0 is always a class: the label of voxels without a vote.
    classes = np.union1d(np.unique(labels), np.zeros(1, labels.dtype))
    if classes[0] < 0:
        raise ValueError(f"labels must not be negative, but {classes[0]} occurs")
    if len(classes) > 256:
        raise ValueError(f"votes can tell 256 labels apart, but there are {len(classes)}")
    if classes[-1] == len(classes) - 1:
        return labels.astype(np.uint8, copy=False), classes
    return np.searchsorted(classes, labels).astype(np.uint8), classes


def _importance(weights: ArrayLike, sweep: Sweep) -> NDArray[np.float32]:
    """Return weights with three axes, each the sweep's or of length one."""
    with np.errstate(over="ignore"):  # infinity is refused below
        array = np.ascontiguousarray(weights, np.float32)
    height, width = sweep.image_size
    shapes = {
        (len(sweep),): (-1, 1, 1),
        (height, width): (1, height, width),
        sweep.frames.shape: sweep.frames.shape,
    }
    if array.shape not in shapes:
        expected = ", ".join(map(str, shapes))
        raise ValueError(f"weights must have one of the shapes {expected}, not {array.shape}")
    if not (np.isfinite(array).all() and (array >= 0).all()):
        raise ValueError("weights must be finite and not negative")
    if array.max(initial=0) > MAX_WEIGHT:
        raise ValueError(f"weights must not exceed {MAX_WEIGHT:g}")
    return array.reshape(shapes[array.shape])
