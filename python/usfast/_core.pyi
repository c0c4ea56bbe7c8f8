from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Progress = Callable[[int, int], Any] | None

def config() -> dict[str, str]: ...
def compound(
    frames: NDArray[Any],
    index: NDArray[np.int64],
    image_to_voxel: NDArray[np.float64],
    size: tuple[int, int, int],
    method: str,
    mode: str,
    radius: int,
    sigma: float,
    classes: int,
    mask: NDArray[np.uint8] | None,
    importance: NDArray[np.float32] | None,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[Any], NDArray[np.float32]]: ...
def fill_holes(
    volume: NDArray[np.float32],
    weight: NDArray[np.float32],
    method: str,
    size: int,
    sigma: float,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]: ...
def plus_paste(
    frames: NDArray[Any],
    index: NDArray[np.int64],
    image_to_voxel: NDArray[np.float64],
    size: tuple[int, int, int],
    interpolation: str,
    optimization: str,
    compounding: str,
    clip: tuple[int, int, int, int],
    fan_tangent: NDArray[np.float64] | None,
    fan_origin: tuple[float, float],
    fan_radius: tuple[float, float],
    reject_below: float | None,
    importance: NDArray[np.uint8] | None,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[Any], NDArray[np.uint16]]: ...
def plus_fill(
    volume: NDArray[Any],
    accumulation: NDArray[np.uint16],
    elements: list[tuple[str, int, float, float, int, int]],
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[Any], NDArray[np.bool_]]: ...
