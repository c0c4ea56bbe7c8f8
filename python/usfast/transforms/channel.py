"""`ConfidenceChannel`: the confidence map as one more channel of the image."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast._arguments import choice
from usfast.confidence import confidence_map
from usfast.transforms.map_cache import MapCache
from usfast.transforms.tensors import as_array, like

__all__ = ["ConfidenceChannel"]


class ConfidenceChannel:
    """Append the confidence map as the last channel: (C, ...) becomes (C + 1, ...).

    Volumes are taken slice by slice. Several channels count as colours: the map is that of their mean.

    Parameters
    ----------
    alpha, beta, gamma, mode, sink_mode
        As in `usfast.confidence.confidence_map`; not ``sink_mode="mask"``.
    depth_axis, lateral_axis : int
        Axes of the image, channel axis included, along which sound travels and along which the scan lines lie
        side by side. The default suits (C, H, W) and (C, D, H, W); MONAI often loads volumes as (C, X, Y, Z):
        ``depth_axis=2, lateral_axis=1``.
    cache_dir : path, optional
        Keep maps in this folder, created where it is missing, as ``.npy`` under the hash of pixels and
        parameters: the second epoch only reads. Nothing is ever removed from it; several processes may share it.
    num_threads : int, optional

    Raises
    ------
    ValueError
        If a name is unknown or both axes are one.

    Notes
    -----
    The map is in 0..1 and rounded to float32, from the cache or not; scale the image to a like range beforehand
    (the map itself does not change with brightness or contrast). The result has the image's dtype if that is a
    float that NumPy knows, else float32.

    Examples
    --------
    >>> import numpy as np
    >>> ConfidenceChannel()(np.random.default_rng(0).random((1, 12, 10), np.float32)).shape
    (2, 12, 10)
    """

    def __init__(
        self,
        alpha: float = 2.0,
        beta: float = 90.0,
        gamma: float = 0.05,
        mode: str = "B",
        sink_mode: str = "all",
        *,
        depth_axis: int = -2,
        lateral_axis: int = -1,
        cache_dir: str | os.PathLike[str] | None = None,
        num_threads: int | None = None,
    ) -> None:
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.mode = choice("mode", mode, ("B", "RF"))
        self.sink_mode = choice("sink_mode", sink_mode, ("all", "mid", "min"))
        self.depth_axis = depth_axis
        self.lateral_axis = lateral_axis
        self.cache = None if cache_dir is None else MapCache(cache_dir)
        self.num_threads = num_threads

    def __call__(self, img: Any) -> Any:
        """Return the image with its map as last channel.

        Parameters
        ----------
        img : (C, H, W) or (C, D, H, W) array or tensor

        Returns
        -------
        (C + 1, ...) array or tensor, MetaTensor kept
        """
        array = as_array(img)
        depth, lateral = self._axes(array)
        grey = array[0] if len(array) == 1 else np.mean(array, axis=0)
        # The channel axis is gone from `grey`, so every axis moves up by one.
        slices = np.moveaxis(grey, (depth - 1, lateral - 1), (-2, -1))
        found = self._maps(slices)
        channel = np.moveaxis(found, (-2, -1), (depth - 1, lateral - 1))
        dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float32)
        result = np.concatenate([array, channel[None]], axis=0, dtype=dtype, casting="unsafe")
        return like(result, img)

    def _axes(self, array: NDArray[Any]) -> tuple[int, int]:
        if array.ndim not in (3, 4) or 0 in array.shape:
            raise ValueError(f"img must have shape (C, H, W) or (C, D, H, W), not {array.shape}")
        axes = []
        for name in ("depth_axis", "lateral_axis"):
            axis = getattr(self, name)
            if not -array.ndim < axis < array.ndim or axis == 0:
                raise ValueError(f"{name} {axis} is no spatial axis of an image of shape {array.shape}")
            axes.append(axis % array.ndim)
        if axes[0] == axes[1]:
            raise ValueError(f"depth_axis and lateral_axis are one axis of shape {array.shape}")
        return axes[0], axes[1]

    def _maps(self, slices: NDArray[Any]) -> NDArray[np.float32]:
        def compute() -> NDArray[np.float32]:
            maps = confidence_map(
                slices,
                self.alpha,
                self.beta,
                self.gamma,
                mode=self.mode,
                sink_mode=self.sink_mode,
                num_threads=self.num_threads,
            )
            return maps.astype(np.float32)

        if self.cache is None:
            return compute()
        parameters = (float(self.alpha), float(self.beta), float(self.gamma), self.mode, self.sink_mode)
        return self.cache.get(slices, parameters, compute)
