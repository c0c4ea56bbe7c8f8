"""Surface distances of many pairs at once: a batch as networks have it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from usfast._threads import get_num_threads
from usfast.metrics.surface import SurfaceMetrics, surface

__all__ = ["surface_batch"]


def surface_batch(
    pred: ArrayLike,
    ref: ArrayLike,
    spacing: ArrayLike | None = None,
    *,
    num_threads: int | None = None,
    **options: Any,
) -> list[SurfaceMetrics | dict[int, SurfaceMetrics]]:
    """Measure each pair of a batch, pairs side by side.

    Parameters
    ----------
    pred, ref : (N, H, W) or (N, Z, Y, X) array of bool or integers
    spacing : float or per axis, optional
        Of all pairs, mm; default 1.
    num_threads : int, optional
        Does not change the result.
    **options
        As of `surface`.

    Returns
    -------
    list of N results of `surface`

    Raises
    ------
    ValueError, TypeError
        As `surface`, or if the batches differ in length.

    Examples
    --------
    >>> ref = np.zeros((3, 20, 20), bool); ref[:, 5:15, 5:15] = True
    >>> [s.hd for s in surface_batch(np.roll(ref, 2, axis=1), ref)]
    [2.0, 2.0, 2.0]
    """
    first, second = np.asarray(pred), np.asarray(ref)
    if first.ndim not in (3, 4) or first.shape != second.shape:
        raise ValueError(
            f"pred and ref must be batches (N, H, W) or (N, Z, Y, X) of one shape, not {first.shape} and {second.shape}"
        )

    def measure(pair: tuple[Any, Any]) -> Any:
        return surface(*pair, spacing, num_threads=1, **options)

    with ThreadPoolExecutor(get_num_threads(num_threads)) as pool:
        return list(pool.map(measure, zip(first, second, strict=True)))
