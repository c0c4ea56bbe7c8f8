"""Calibration per depth: the beam's elevational width in each row of the patch grid, from a sweep of known poses."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import FormatError, GeometryError
from usfast.speckle.curves import checked_pairs
from usfast.speckle.models import MODELS, check_model, correlation_slope, from_coherence
from usfast.speckle.patches import PatchGrid
from usfast.speckle.robust import huber_weight, spread, spread_shape

__all__ = ["Calibration", "calibrate", "read_calibration", "write_calibration"]

_Array = NDArray[np.float64]
_FORMAT = "usfast speckle calibration"
_VERSION = 1
_LEAST_PAIRS = 20
_LEAST_CORRELATION = 0.25


@dataclass(frozen=True, eq=False)
class Calibration:
    """Elevational width of the beam and noise, for each row of a patch grid.

    Parameters
    ----------
    sigma_mm : (R,) array
        Width at each row: ``x = exp(-(d**2 + nugget) / (2 sigma**2))``. NaN where a row could not be calibrated;
        tracking leaves it out. At least one must be known.
    nugget_mm2 : (R,) array
        What noise adds to every squared distance, mm^2, >= 0; NaN where sigma is.
    residual_sd : (R,) array
        Robust standard deviation of correlations about the curve, at ``rho = 0``.
    grid, patch_size, image_size : (int, int)
        Rows and columns of patches, of pixels in a patch, and of pixels in a frame.
    pixel_spacing : (float, float)
        mm a pixel along u and v.
    model : {"log", "amplitude", "intensity", "rician"}
    k : float
        Coherent over diffuse power, for ``"rician"``.

    Raises
    ------
    ValueError
        If sizes, signs or the model are wrong.
    """

    sigma_mm: _Array
    nugget_mm2: _Array
    residual_sd: _Array
    grid: tuple[int, int]
    patch_size: tuple[int, int]
    image_size: tuple[int, int]
    pixel_spacing: tuple[float, float]
    model: str = "log"
    k: float = 0.0

    def __post_init__(self) -> None:
        check_model(self.model, self.k)
        for name in ("grid", "patch_size", "image_size"):
            pair = tuple(int(value) for value in getattr(self, name))
            if len(pair) != 2 or min(pair) < 1:
                raise ValueError(f"{name} must be two positive whole numbers, not {getattr(self, name)!r}")
            object.__setattr__(self, name, pair)
        steps = tuple(float(value) for value in self.pixel_spacing)
        if len(steps) != 2 or not all(np.isfinite(step) and step > 0 for step in steps):
            raise ValueError(f"pixel_spacing must be two positive numbers (mm), not {self.pixel_spacing!r}")
        object.__setattr__(self, "pixel_spacing", steps)
        for name in ("sigma_mm", "nugget_mm2", "residual_sd"):
            values = np.asarray(getattr(self, name), dtype=np.float64)
            if values.shape != (self.grid[0],):
                raise ValueError(f"{name} must have one entry for each of {self.grid[0]} rows, not {values.shape}")
            if (values < 0).any() or np.isinf(values).any():
                raise ValueError(f"{name} must not be negative or infinite")
            object.__setattr__(self, name, values)
        if (self.sigma_mm == 0).any() or np.isnan(self.nugget_mm2[~np.isnan(self.sigma_mm)]).any():
            raise ValueError("sigma_mm must be positive, and each with its nugget_mm2")
        if np.isnan(self.sigma_mm).all():
            raise ValueError("sigma_mm must be known for at least one row")

    def check_fits(self, patches: PatchGrid, image_size: tuple[int, int]) -> None:
        """Raise ValueError where it was made for another grid, patch size or image size."""
        for name, own, other in (
            ("grid", self.grid, patches.grid),
            ("patch size", self.patch_size, patches.size),
            ("image size", self.image_size, image_size),
        ):
            if own != tuple(other):
                raise ValueError(
                    f"the calibration is for a {name} of {own[0]} x {own[1]} (rows x columns), not "
                    f"{other[0]} x {other[1]}"
                )

    @property
    def sigma_of_patches(self) -> _Array:
        """(P,) float64: the width at each patch, mm, row by row."""
        return np.repeat(self.sigma_mm, self.grid[1])


def calibrate(
    correlation: ArrayLike,
    elevational: ArrayLike,
    patches: PatchGrid,
    image_size: tuple[int, int],
    pixel_spacing: tuple[float, float],
    *,
    model: str = "log",
    k: float = 0.0,
    in_plane: ArrayLike | None = None,
    in_plane_limit: float | None = None,
) -> Calibration:
    """Fit the elevational width and the nugget of every row of patches to measured correlations.

    Parameters
    ----------
    correlation, elevational : (N, window, P) arrays
        From `correlate_pairs` and `patch_displacements`. NaN is left out.
    patches : PatchGrid
    image_size : (int, int)
        Rows and columns (H, W) of the frames.
    pixel_spacing : (float, float)
        mm a pixel along u and v.
    model, k
        As for `correlation`.
    in_plane : (N, window, P) array, optional
        In-plane part of the displacements, mm. Needed with `in_plane_limit`.
    in_plane_limit : float, optional
        Leave out pairs that moved farther than this in the plane, mm: they decorrelate for another reason.

    Returns
    -------
    Calibration
        A row has NaN where fewer than 20 pairs are left, where its correlation does not fall with distance (sigma would
        be more than the largest distance), or where noise leaves less than 0.25 of it at distance 0.

    Raises
    ------
    ValueError
        If shapes do not fit each other.
    GeometryError
        If no row can be calibrated: the probe did not move, moved too far between frames, or the frames hold no
        speckle.

    Notes
    -----
    Least squares in the correlation with Huber weights; a residual counts in units of ``1 - rho**2``, the scatter of a
    sample correlation. The nugget c is that of geostatistics: noise lowers the correlation of frames at distance 0 to
    that of ``x = exp(-c / (2 sigma**2))``.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast.speckle.models import correlation
    >>> patches = PatchGrid.regular((8, 8), (8, 8))
    >>> apart = np.linspace(0.05, 1.5, 40).reshape(20, 2, 1)
    >>> fit = calibrate(correlation(apart, 0.7), apart, patches, (8, 8), (0.1, 0.1))
    >>> fit.sigma_mm.round(3).tolist()
    [0.7]
    """
    check_model(model, k)
    rho, apart = checked_pairs(correlation, elevational, patches)
    used = np.isfinite(rho) & np.isfinite(apart)
    if in_plane_limit is not None:
        if in_plane is None or np.shape(in_plane) != rho.shape:
            raise ValueError("in_plane_limit needs in_plane, of the shape of correlation")
        used &= np.asarray(in_plane) <= in_plane_limit
    rows, columns = patches.grid
    fits = np.full((rows, 3), np.nan)
    for row in range(rows):
        part = slice(row * columns, (row + 1) * columns)
        here = used[..., part]
        fits[row] = _fit_row(rho[..., part][here], apart[..., part][here], model, k)
    if np.isnan(fits[:, 0]).all():
        raise GeometryError(
            "no row of patches can be calibrated: the correlation does not fall with the elevational distance "
            f"({np.count_nonzero(used)} pairs of patches); does the probe move, and do the frames hold speckle?"
        )
    return Calibration(
        fits[:, 0], fits[:, 1], fits[:, 2], patches.grid, patches.size, image_size, pixel_spacing, model, float(k)
    )


def _fit_row(rho: _Array, apart: _Array, model: str, k: float) -> tuple[float, float, float]:
    """Return sigma, nugget and spread of one row; NaN where its pairs do not determine them."""
    unknown = (np.nan, np.nan, np.nan)
    if len(rho) < _LEAST_PAIRS or apart.max() <= 0:
        return unknown
    furthest = float(apart.max())
    candidates = [
        (np.log(width), loss) for width in furthest * np.geomspace(0.05, 10, 40) for loss in (0.001, 0.03, 0.1, 0.3)
    ]

    def cost(start: tuple[float, float]) -> float:
        expected = from_coherence(_coherence(apart, *start), model, k=k)
        return float(np.mean(np.abs(rho - expected)))

    log_sigma, loss = min(candidates, key=cost)
    for _ in range(60):
        x = _coherence(apart, log_sigma, loss)
        expected, slope = from_coherence(x, model, k=k), correlation_slope(x, model, k=k)
        scale = spread_shape(expected)
        residual = (rho - expected) / scale
        sd = spread(residual)
        weight = huber_weight(residual / sd)
        jacobian = np.stack([slope * (apart / np.exp(log_sigma)) ** 2, -slope]) / scale
        normal = (jacobian * weight) @ jacobian.T
        gradient = (jacobian * weight) @ residual
        if loss <= 0 and gradient[1] < 0:
            gradient[1], normal[1, :], normal[:, 1], normal[1, 1] = 0.0, 0.0, 0.0, 1.0
        if not np.linalg.cond(normal) < 1e12:
            return unknown
        step = np.clip(np.linalg.solve(normal, gradient), -0.5, 0.5)
        log_sigma, loss = log_sigma + float(step[0]), max(loss + float(step[1]), 0.0)
        if np.abs(step).max() < 1e-9:
            break
    sigma = float(np.exp(log_sigma))
    if not 0.02 * furthest < sigma < furthest:
        return unknown  # the curve is flat over the distances seen, or has fallen before the first of them
    if from_coherence(np.exp(-loss), model, k=k) < _LEAST_CORRELATION:
        return unknown
    return sigma, 2 * sigma**2 * loss, sd


def _coherence(apart: _Array, log_sigma: float, loss: float) -> _Array:
    return np.asarray(np.exp(-0.5 * (apart / np.exp(log_sigma)) ** 2 - loss))


def write_calibration(calibration: Calibration, path: str | os.PathLike[str]) -> None:
    """Write a calibration as JSON; an interrupted run leaves the old file or the new one.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "probe.json"
    >>> one = Calibration([0.7], [0.0], [0.1], (1, 1), (8, 8), (8, 8), (0.1, 0.1))
    >>> write_calibration(one, path)
    >>> read_calibration(path).sigma_mm.tolist()
    [0.7]
    """
    from usfast.io.atomic import replacing

    def listed(values: _Array) -> list[float | None]:
        return [None if np.isnan(value) else float(value) for value in values]

    content = {
        "format": _FORMAT,
        "version": _VERSION,
        "model": calibration.model,
        "k": calibration.k,
        "grid": list(calibration.grid),
        "patch_size": list(calibration.patch_size),
        "image_size": list(calibration.image_size),
        "pixel_spacing": list(calibration.pixel_spacing),
        "sigma_mm": listed(calibration.sigma_mm),
        "nugget_mm2": listed(calibration.nugget_mm2),
        "residual_sd": listed(calibration.residual_sd),
    }
    with replacing(Path(path)) as draft:
        draft.write_text(json.dumps(content, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def read_calibration(path: str | os.PathLike[str]) -> Calibration:
    """Read what `write_calibration` wrote.

    Raises
    ------
    FormatError
        If the file is no such JSON; names the key at fault.
    FileNotFoundError
    """
    source = Path(path)
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise FormatError(f"{source}: not JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise FormatError(f'{source}: not a speckle calibration: "format" is not "{_FORMAT}"')
    if content.get("version") != _VERSION:
        raise FormatError(f"{source}: version {content.get('version')!r}, but this program reads {_VERSION}")
    model = content.get("model")
    if model not in MODELS:
        raise FormatError(f'{source}: "model" must be one of {", ".join(MODELS)}, not {model!r}')
    try:
        return Calibration(
            _numbers(source, content, "sigma_mm"),
            _numbers(source, content, "nugget_mm2"),
            _numbers(source, content, "residual_sd"),
            _pair(source, content, "grid"),
            _pair(source, content, "patch_size"),
            _pair(source, content, "image_size"),
            _pair(source, content, "pixel_spacing"),
            model,
            float(_numbers(source, {"k": [content.get("k")]}, "k")[0]),
        )
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"{source}: {error}") from None


def _numbers(source: Path, content: dict[str, Any], key: str) -> _Array:
    """Return a list of numbers as an array, null as NaN."""
    values = content.get(key)
    if not isinstance(values, list) or not values:
        raise FormatError(f'{source}: "{key}" must be a list of numbers')
    for value in values:
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e12
        if not number and value is not None:
            raise FormatError(f'{source}: "{key}" holds {value!r}, which is no number')
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _pair(source: Path, content: dict[str, Any], key: str) -> Any:
    values = _numbers(source, content, key)
    if len(values) != 2 or np.isnan(values).any():
        raise FormatError(f'{source}: "{key}" must be two numbers, not {content[key]}')
    return tuple(values.tolist())
