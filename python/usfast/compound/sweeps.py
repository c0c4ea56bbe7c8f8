"""Compounding of a sweep: choose the grid, compound, fill."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import choice
from usfast.compound.arrays import MODES, compound_arrays
from usfast.compound.holes import FILLS, fill_holes
from usfast.compound.memory import check_memory
from usfast.compound.plus_fan import fan_radii
from usfast.sweep import Sweep
from usfast.volume import Grid, Volume

if TYPE_CHECKING:
    from usfast.io import PlusConfig, Reconstruction

__all__ = ["CompoundResult", "compound"]


@dataclass(frozen=True, eq=False)
class CompoundResult:
    """What compounding returns.

    Attributes
    ----------
    volume : Volume
        float32 values (labels for votes; the frames' dtype for ``compat="plus"``), 0 where nothing is known.
    weight : (Z, Y, X) float32 array
        Weight of the pixels that made each voxel; 0 where none did.
    filled : (Z, Y, X) bool array or None
        Voxels that hole filling gave a value; None without filling.
    variance : (Z, Y, X) float32 array or None
        Variance of the values that made each voxel, around their mean; None without `statistics`.
    hits : (Z, Y, X) uint32 array or None
        Number of pixels that reached each voxel; None without `statistics`.
    """

    volume: Volume
    weight: NDArray[np.float32]
    filled: NDArray[np.bool_] | None = None
    variance: NDArray[np.float32] | None = None
    hits: NDArray[np.uint32] | None = None

    @property
    def coverage(self) -> NDArray[np.bool_]:
        """(Z, Y, X) bool: voxels that a pixel reached, filled ones not counted."""
        return self.weight > 0


def compound(
    sweep: Sweep,
    spacing: ArrayLike | None = None,
    method: str = "linear",
    mode: str = "mean",
    fill: str | None = None,
    *,
    grid: Grid | None = None,
    config: PlusConfig | str | Path | None = None,
    compat: str | None = None,
    weights: ArrayLike | None = None,
    kernel_size: int = 5,
    sigma: float = 1.0,
    options: Mapping[str, Any] | None = None,
    statistics: bool = False,
    fill_size: int = 5,
    fill_extend: bool = False,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> CompoundResult:
    """Compound a sweep into a volume.

    Parameters
    ----------
    sweep : Sweep
        Frames with a valid pose and pixels in the mask are used.
    spacing : float or (float, float, float), optional
        Voxel spacing along x, y, z, mm; the grid then encloses the sweep. Default: the config's.
    method, mode, weights, kernel_size, sigma, options, statistics
        As in `compound_arrays`. ``mode="vote"`` compounds ``sweep.labels``.
    fill : str, optional
        Method of `fill_holes`, with windows of `fill_size` voxels. Not for votes.
    fill_extend : bool
        Fill beyond the sweep's gaps too; see `fill_holes`.
    grid : Grid, optional
        Instead of `spacing`.
    config : PlusConfig or path, optional
        PLUS configuration: its clip rectangle and fan mask the frames, its output spacing serves where none is
        given.
    compat : {None, "plus"}
        `"plus"` computes what PLUS/IGSIO computes from `config`, bit for bit: its fixed-point geometry, running
        mean and hole filling included. `method`, `mode`, `fill` and `spacing` then come from the config alone.
    num_threads : int, optional
    progress : callable, optional
        Called as ``progress(done, total)`` now and then.

    Returns
    -------
    CompoundResult

    Raises
    ------
    ValueError, TypeError
        If arguments do not fit each other.
    GeometryError
        If no frame is valid or the mask excludes every pixel.
    MemoryError
        Before allocating, if the grid would not fit; the message names a spacing that would.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast import Sweep
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 2, 3] = [0, 1, 2]
    >>> result = compound(Sweep(np.full((3, 8, 8), 9, np.uint8), poses), spacing=1.0)
    >>> result.volume.array.shape, float(result.volume.array.min()), bool(result.coverage.all())
    ((3, 8, 8), 9.0, True)
    """
    if not isinstance(sweep, Sweep):
        raise TypeError(f"sweep must be a Sweep, not {type(sweep).__name__}; for arrays there is compound_arrays")
    if grid is not None and not isinstance(grid, Grid):
        raise TypeError(f"grid must be a Grid, not {type(grid).__name__}")
    if compat not in (None, "plus"):
        raise ValueError(f"compat must be None or 'plus', not {compat!r}")
    settings = reconstruction(config)
    if compat == "plus":
        from usfast.compound.plus import compound_plus

        if settings is None:
            raise ValueError('compat="plus" needs a config with a VolumeReconstruction element')
        return compound_plus(sweep, settings, num_threads=num_threads, progress=progress)
    if mode == "vote" and sweep.labels is None:
        raise ValueError('mode="vote" compounds labels, but the sweep has none')
    if mode == "vote" and fill is not None:
        raise ValueError("votes are not filled: labels have no values in between")
    choice("mode", mode, MODES)
    if fill is not None:
        choice("fill", fill, FILLS)
    mask = masked(sweep, settings)
    if grid is None:
        grid = _enclosing(sweep, mask, spacing, settings)
    elif spacing is not None:
        raise ValueError("give either spacing or grid, not both")
    check_memory(grid, bytes_per_voxel=8 if fill is None else 10)
    parts = cast(Any, compound_arrays)(  # its overloads tell results apart that are told apart below
        sweep.labels if mode == "vote" and sweep.labels is not None else sweep.frames,
        sweep.image_to_world,
        grid,
        method,
        mode,
        valid=sweep.valid,
        mask=mask,
        weights=weights,
        kernel_size=kernel_size,
        sigma=sigma,
        options=options,
        statistics=statistics,
        num_threads=num_threads,
        progress=_share(progress, 0, 1000 if fill is None else 700),
    )
    volume, weight, variance, hits = (*parts, None, None)[:4]
    filled = None
    if fill is not None:
        share = _share(progress, 700, 1000)
        volume, filled = fill_holes(
            volume,
            weight,
            fill,
            size=fill_size,
            extend=fill_extend,
            out=volume,
            num_threads=num_threads,
            progress=share,
        )
    return CompoundResult(Volume.on(grid, volume), weight, filled, variance, hits)


def _share(progress: Callable[[int, int], Any] | None, begin: int, end: int) -> Callable[[int, int], Any] | None:
    """Report one step's progress as its share, in thousandths, of the whole."""
    if progress is None:
        return None
    return lambda done, total: progress(begin + (end - begin) * done // total, 1000)


def reconstruction(config: PlusConfig | str | Path | None) -> Reconstruction | None:
    if config is None:
        return None
    from usfast.io import PlusConfig, read_config

    return (config if isinstance(config, PlusConfig) else read_config(config)).reconstruction


def masked(sweep: Sweep, settings: Reconstruction | None) -> NDArray[np.bool_] | None:
    """The sweep's mask, narrowed by the config's clip rectangle and fan."""
    if settings is None:
        return sweep.mask
    from usfast.geometry import fan_mask, rectangle_mask

    mask = np.ones(sweep.image_size, bool) if sweep.mask is None else sweep.mask
    if settings.clip_origin is not None and settings.clip_size is not None and min(settings.clip_size) > 0:
        mask = mask & rectangle_mask(sweep.image_size, settings.clip_origin, settings.clip_size)
    if settings.fan_angles_deg is not None and any(settings.fan_angles_deg):
        origin = settings.fan_origin_px or (0.0, 0.0)
        mask = mask & fan_mask(sweep.image_size, origin, sorted(settings.fan_angles_deg), fan_radii(settings))
    return mask


def _enclosing(
    sweep: Sweep, mask: NDArray[np.bool_] | None, spacing: ArrayLike | None, settings: Reconstruction | None
) -> Grid:
    if spacing is None:
        if settings is None or settings.output_spacing is None:
            raise ValueError("give spacing (mm) or grid, or a config with OutputSpacing")
        spacing = settings.output_spacing
    return Grid.enclosing(Sweep(sweep.frames, sweep.image_to_world, valid=sweep.valid, mask=mask), spacing)
