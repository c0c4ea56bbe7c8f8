"""Dictionary versions: one transform for chosen entries of a sample."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from typing import Any

from usfast.transforms.channel import ConfidenceChannel
from usfast.transforms.confidence_map import UltrasoundConfidenceMap

__all__ = ["ConfidenceChanneld", "UltrasoundConfidenceMapd"]

Keys = Hashable | Iterable[Hashable]


class _Keyed:
    """Applies a transform to entries of a sample, which stays as it is: a new dictionary comes back."""

    def __init__(self, keys: Keys, allow_missing_keys: bool) -> None:
        self.keys = (keys,) if isinstance(keys, (str, bytes)) or not isinstance(keys, Iterable) else tuple(keys)
        if not self.keys:
            raise ValueError("keys must name at least one entry of the sample")
        self.allow_missing_keys = allow_missing_keys

    def _applied(self, data: Mapping[Hashable, Any], transform: Callable[[Any], Any]) -> dict[Hashable, Any]:
        result = dict(data)
        for key in self._present(data):
            result[key] = transform(data[key])
        return result

    def _present(self, data: Mapping[Hashable, Any]) -> Iterator[Hashable]:
        for key in self.keys:
            if key in data:
                yield key
            elif not self.allow_missing_keys:
                there = ", ".join(map(repr, data))
                raise KeyError(f"the sample has no entry {key!r}; there are {there} (or set allow_missing_keys)")


class UltrasoundConfidenceMapd(_Keyed):
    """Replace images of a sample by their confidence maps; see `UltrasoundConfidenceMap`.

    Parameters
    ----------
    keys : hashable or iterable of hashable
        Entries of the sample to replace.
    alpha, beta, gamma, mode, sink_mode, use_cg, cg_tol, cg_maxiter, keep_channel, num_threads
        As in `UltrasoundConfidenceMap`.
    mask_key : hashable, optional
        Entry with the sinks, for ``sink_mode="mask"``.
    allow_missing_keys : bool
        Leave out entries that a sample does not have, instead of raising KeyError.

    Raises
    ------
    ValueError
        As `UltrasoundConfidenceMap`; also if ``sink_mode="mask"`` comes without `mask_key`.

    Examples
    --------
    >>> import numpy as np
    >>> transform = UltrasoundConfidenceMapd("image", keep_channel=True)
    >>> sample = transform({"image": np.random.default_rng(0).random((1, 12, 10)), "label": 3})
    >>> sample["image"].shape, sample["label"]
    ((1, 12, 10), 3)
    """

    def __init__(
        self,
        keys: Keys,
        alpha: float = 2.0,
        beta: float = 90.0,
        gamma: float = 0.05,
        mode: str = "B",
        sink_mode: str = "all",
        use_cg: bool = False,
        cg_tol: float = 1e-6,
        cg_maxiter: int = 200,
        *,
        mask_key: Hashable | None = None,
        allow_missing_keys: bool = False,
        keep_channel: bool = False,
        num_threads: int | None = None,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.mask_key = mask_key
        self.transform = UltrasoundConfidenceMap(
            alpha,
            beta,
            gamma,
            mode,
            sink_mode,
            use_cg,
            cg_tol,
            cg_maxiter,
            keep_channel=keep_channel,
            num_threads=num_threads,
        )
        if sink_mode == "mask" and mask_key is None:
            raise ValueError('sink_mode="mask" needs mask_key: the entry that holds the sinks')

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the sample with maps in place of the images."""
        if self.mask_key is not None and self.mask_key not in data:
            raise KeyError(f"the sample has no entry {self.mask_key!r} with the sinks")
        mask = None if self.mask_key is None else data[self.mask_key]
        return self._applied(data, lambda image: self.transform(image, mask))


class ConfidenceChanneld(_Keyed):
    """Append confidence maps to images of a sample; see `ConfidenceChannel`.

    Parameters
    ----------
    keys : hashable or iterable of hashable
        Entries of the sample to extend.
    alpha, beta, gamma, mode, sink_mode, depth_axis, lateral_axis, cache_dir, num_threads
        As in `ConfidenceChannel`.
    allow_missing_keys : bool
        Leave out entries that a sample does not have, instead of raising KeyError.

    Raises
    ------
    ValueError
        As `ConfidenceChannel`.

    Examples
    --------
    >>> import numpy as np
    >>> ConfidenceChanneld(["image"])({"image": np.random.default_rng(0).random((1, 12, 10))})["image"].shape
    (2, 12, 10)
    """

    def __init__(
        self,
        keys: Keys,
        alpha: float = 2.0,
        beta: float = 90.0,
        gamma: float = 0.05,
        mode: str = "B",
        sink_mode: str = "all",
        *,
        depth_axis: int = -2,
        lateral_axis: int = -1,
        cache_dir: str | os.PathLike[str] | None = None,
        allow_missing_keys: bool = False,
        num_threads: int | None = None,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.transform = ConfidenceChannel(
            alpha,
            beta,
            gamma,
            mode,
            sink_mode,
            depth_axis=depth_axis,
            lateral_axis=lateral_axis,
            cache_dir=cache_dir,
            num_threads=num_threads,
        )

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the sample with the maps as last channels."""
        return self._applied(data, self.transform)
