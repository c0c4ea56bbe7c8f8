"""Weights of pixels and frames for ``mode="weighted"``: arrays that `compound` takes, alone or multiplied."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import positive
from usfast.errors import GeometryError
from usfast.sweep import Sweep

__all__ = ["angle_weights", "combine", "edge_feather", "frame_quality"]

_LEAST = 1e-3  # of a frame's or pixel's weight: what alone covers a voxel still gives it a value
_CRITERIA = ("agreement", "steadiness")


def edge_feather(image: Sequence[int] | ArrayLike, width_px: float) -> NDArray[np.float32]:
    """Return weights that fade towards the border of the image, so that frames that end in others leave no line.

    A raised cosine of the distance to the nearest pixel outside, ``sin(pi d / (2 width))**2``, 1 from `width_px` on. It
    is positive in every pixel inside, so what only the border of one frame covers keeps its value.

    Parameters
    ----------
    image : (int, int) or (H, W) bool array
        Shape of the frames, all of which is image, or mask of the sector: ``Sweep.image_size`` or ``Sweep.mask``.
    width_px : float
        Width of the ramp, pixels.

    Returns
    -------
    (H, W) float32 array
        In (0, 1] inside, 0 outside.

    Raises
    ------
    ValueError
        If `image` is neither, holds no pixel, or the width is not positive.

    Examples
    --------
    >>> edge_feather((5, 7), 2)[2].tolist()
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.5]
    """
    from scipy.ndimage import distance_transform_edt

    inside = np.asarray(image)
    if inside.shape == (2,) and inside.dtype.kind in "ui" and (inside > 0).all():
        inside = np.ones(tuple(inside.tolist()), bool)
    if inside.ndim != 2 or inside.dtype.kind not in "bui":
        raise ValueError(f"image must be a shape (H, W) or a mask (H, W), not {image!r:.60}")
    if not inside.any():
        raise ValueError("the mask excludes every pixel")
    width = positive("width_px", width_px)
    distance = distance_transform_edt(np.pad(inside != 0, 1))[1:-1, 1:-1]
    ramp = np.sin(0.5 * np.pi * np.minimum(distance / width, 1)) ** 2
    return np.where(inside, np.maximum(ramp, np.finfo(np.float32).tiny), 0).astype(np.float32)


def frame_quality(sweep: Sweep, criteria: Sequence[str] = _CRITERIA, *, tolerance: float = 3.0) -> NDArray[np.float32]:
    """Return a weight for every frame: small where it does not fit its neighbours.

    Parameters
    ----------
    sweep : Sweep
    criteria : sequence of {"agreement", "steadiness"}
        `"agreement"`: normalised cross-correlation with the frame before or after, whichever is larger: lost contact,
        shadow of a moving hand and dropped frames agree with neither. `"steadiness"`: how far the image's corners lie
        (root mean square, mm) from where the poses around put them, by the best of three straight lines through two of
        the four nearest valid frames: jumps of the tracker. Several are multiplied.
    tolerance : float
        A frame that is this many robust standard deviations (1.4826 MAD over the sweep) worse than the median has
        weight 1/2; the weight is ``1 / (1 + (deviations / tolerance)**2)``, and at least 0.001.

    Returns
    -------
    (N,) float32 array
        In (0, 1]; 0 for frames that are not valid.

    Raises
    ------
    ValueError
        If a criterion is unknown, or the tolerance is not positive.
    GeometryError
        If fewer than three frames are valid.

    Notes
    -----
    Frames are taken one time step apart; steps between valid frames count as such. Scales below 0.01 (correlation)
    and a tenth of a pixel (poses) are rounding and do not count. The weight is that of Cauchy's robust estimator
    (Huber and Ronchetti, "Robust Statistics", 2009).

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (9, 1, 1))
    >>> poses[:, 2, 3] = np.arange(9)
    >>> poses[4, 0, 3] = 5  # the tracker jumped
    >>> image = np.random.default_rng(0).integers(0, 256, (1, 20, 20), np.uint8)
    >>> frame_quality(Sweep(np.repeat(image, 9, axis=0), poses)).round(2).tolist()
    [1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, 1.0]
    """
    if isinstance(criteria, str) or not criteria or not set(criteria) <= set(_CRITERIA):
        raise ValueError(f"criteria must be some of {', '.join(_CRITERIA)}, not {criteria!r}")
    allowed = positive("tolerance", tolerance)
    used = np.flatnonzero(sweep.valid)
    if used.size < 3:
        raise GeometryError(f"frame_quality needs three valid frames to compare, not {used.size}")
    good = np.ones(used.size)
    if "agreement" in criteria:
        good *= _doubt(-_agreement(sweep, used), 0.01, allowed)
    if "steadiness" in criteria:
        good *= _doubt(_unsteadiness(sweep, used), 0.1 * min(sweep.pixel_spacing), allowed)
    weights = np.zeros(len(sweep), np.float32)
    weights[used] = np.maximum(good, _LEAST)
    return weights


def angle_weights(
    sweep: Sweep,
    direction: ArrayLike | None = None,
    *,
    apex: tuple[float, float] | None = None,
    power: float = 2.0,
) -> NDArray[np.float32]:
    """Return weights by the angle between the beam and a direction: ``|cos|**power``.

    A specular surface shows where the beam meets it at a right angle, so of several views of one voxel those along
    its normal should count.

    Parameters
    ----------
    sweep : Sweep
    direction : (3,) or (N, 3) array, optional
        In world coordinates, of any length: a surface's normal, one for all frames or one for each. Default: the
        mean direction of the beams, which makes tilted frames count less.
    apex : (float, float), optional
        Pixel (u, v) from which the beams of a sector spread. Default: beams run along the columns.
    power : float
        How fast the weight falls with the angle.

    Returns
    -------
    (N,) float32 array, or (N, H, W) with an apex
        In (0, 1], at least 0.001; 0 for frames that are not valid.

    Raises
    ------
    ValueError
        If direction, apex or power are not finite numbers, or the direction has no length.
    GeometryError
        If no frame is valid.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (2, 1, 1))
    >>> poses[1, :3, :3] = [[1, 0, 0], [0, 0.5, -(0.75**0.5)], [0, 0.75**0.5, 0.5]]  # tilted by 60 degrees
    >>> angle_weights(Sweep(np.zeros((2, 4, 4), np.uint8), poses), (0, 1, 0)).round(3).tolist()
    [1.0, 0.25]
    """
    exponent = positive("power", power)
    beams = _beams(sweep, apex)  # (N, 3) or (N, H, W, 3)
    if not sweep.valid.any():
        raise GeometryError(f"none of the {len(sweep)} frames has a valid pose")
    own = beams[sweep.valid].reshape(-1, 3).mean(axis=0)
    towards = np.asarray(own if direction is None else direction, np.float64)
    if towards.shape not in ((3,), (len(sweep), 3)):
        raise ValueError(f"direction must have shape (3,) or ({len(sweep)}, 3), not {towards.shape}")
    length = np.linalg.norm(towards, axis=-1, keepdims=True)
    if not (np.isfinite(length) & (length > 0)).all():
        raise ValueError("direction must be finite and have a length")
    towards = np.broadcast_to(towards / length, (len(sweep), 3))
    cosine = np.abs(np.einsum("n...i,ni->n...", beams, towards))
    weights: NDArray[np.float32] = np.clip(cosine**exponent, _LEAST, 1).astype(np.float32)
    weights[~sweep.valid] = 0
    return weights


def combine(*weights: ArrayLike) -> NDArray[np.float32]:
    """Return the product of weights of frames (N,), of pixels (H, W) and of both (N, H, W).

    Returns
    -------
    float32 array
        (N,) or (H, W) where all are, else (N, H, W).

    Raises
    ------
    ValueError
        If there are none, one is negative or not finite, or their shapes do not fit.

    Examples
    --------
    >>> combine([1, 0.5], edge_feather((4, 4), 2)).shape
    (2, 4, 4)
    """
    if not weights:
        raise ValueError("there are no weights to combine")
    product: NDArray[np.float64] = np.ones((1, 1, 1))
    for number, weight in enumerate(weights, 1):
        values = np.asarray(weight, np.float64)
        if values.ndim not in (1, 2, 3) or not values.size:
            raise ValueError(f"weights must have shape (N,), (H, W) or (N, H, W); number {number} has {values.shape}")
        if not (np.isfinite(values) & (values >= 0)).all():
            raise ValueError(f"weights must be finite and not negative; number {number} is not")
        full = values.reshape(-1, 1, 1) if values.ndim == 1 else values.reshape((1, 1, 1, *values.shape)[-3:])
        for axis in range(3):
            if 1 not in (full.shape[axis], product.shape[axis]) and full.shape[axis] != product.shape[axis]:
                raise ValueError(f"weights number {number} of shape {values.shape} do not fit those before")
        product = product * full
    kinds = {np.ndim(weight) for weight in weights}
    if kinds == {1}:
        product = product[:, 0, 0]
    elif kinds == {2}:
        product = product[0]
    return np.ascontiguousarray(product, np.float32)


def _doubt(badness: NDArray[np.float64], rounding: float, tolerance: float) -> NDArray[np.float64]:
    """Weight of each frame by how much worse than the median it is."""
    middle = np.median(badness)
    scale = max(1.4826 * float(np.median(np.abs(badness - middle))), rounding)
    return np.asarray(1 / (1 + (np.maximum(badness - middle, 0) / (tolerance * scale)) ** 2), np.float64)


def _agreement(sweep: Sweep, used: NDArray[np.intp]) -> NDArray[np.float64]:
    """Correlation of each frame with its better neighbour, over the mask."""
    found = np.empty(used.size - 1)
    before = _standardised(sweep, int(used[0]))
    for i, n in enumerate(used[1:]):
        here = _standardised(sweep, int(n))
        found[i] = float(before @ here)
        before = here
    return np.asarray(np.maximum(np.append(found, -1.0), np.insert(found, 0, -1.0)), np.float64)


def _standardised(sweep: Sweep, n: int) -> NDArray[np.float64]:
    frame = sweep.frames[n] if sweep.mask is None else sweep.frames[n][sweep.mask]
    values = np.nan_to_num(frame.ravel().astype(np.float64), posinf=0, neginf=0)
    values -= values.mean()
    length = np.linalg.norm(values)
    return np.asarray(values / length if length > 0 else values, np.float64)


def _unsteadiness(sweep: Sweep, used: NDArray[np.intp]) -> NDArray[np.float64]:
    """Distance (mm) of the corners of each image from where the poses around put them."""
    height, width = sweep.image_size
    corners = np.array([[u, v, 0.0, 1.0] for u in (0, width - 1) for v in (0, height - 1)]).T
    points = (sweep.image_to_world[used] @ corners)[:, :3].transpose(0, 2, 1)  # (M, 4, 3)
    time = used.astype(np.float64)
    count = used.size
    best = np.full(count, np.inf)
    for one, other in ((-1, 1), (-2, -1), (1, 2)):
        i = np.arange(max(0, -one, -other), min(count, count - one, count - other))
        t0, t1 = time[i + one], time[i + other]
        share = ((time[i] - t0) / (t1 - t0))[:, None, None]
        expected = (1 - share) * points[i + one] + share * points[i + other]
        off = np.sqrt(((points[i] - expected) ** 2).sum(axis=2).mean(axis=1))
        best[i] = np.minimum(best[i], off)
    return best


def _beams(sweep: Sweep, apex: tuple[float, float] | None) -> NDArray[np.float64]:
    """Unit vectors along the beam in the world: (N, 3), or (N, H, W, 3) where they spread from an apex."""
    axes = np.where(sweep.valid[:, None, None], sweep.image_to_world[:, :3, :2], np.eye(3)[:, :2])
    if apex is None:
        beams = axes[:, :, 1]
    else:
        place = np.asarray(apex, np.float64)
        if place.shape != (2,) or not np.isfinite(place).all():
            raise ValueError(f"apex must be two finite numbers (u, v), not {apex!r}")
        height, width = sweep.image_size
        v, u = np.mgrid[:height, :width]
        away = np.stack([u - place[0], v - place[1]], axis=-1)
        beams = np.einsum("nij,hwj->nhwi", axes, away)
        beams += np.where((away == 0).all(axis=-1)[..., None], axes[:, None, None, :, 1], 0)  # the apex itself
    return np.asarray(beams / np.linalg.norm(beams, axis=-1, keepdims=True), np.float64)
