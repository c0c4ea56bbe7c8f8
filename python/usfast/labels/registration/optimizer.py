"""ITK's optimiser of a rigid motion, from several starts at once, with the same bits for any number of threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from usfast.labels.registration.pyramid import Level
from usfast.volume import Volume

__all__ = ["Found", "optimized"]

_SAMPLES = 60_000  # voxels that the metric looks at
_BINS = 32
_ITERATIONS = 150


@dataclass(frozen=True, eq=False)
class Found:
    """A motion and the iterations that led to it."""

    moving_to_fixed: NDArray[np.float64]
    iterations: int


def optimized(
    fixed: Level,
    moving: Level,
    starts: Sequence[NDArray[np.float64]],
    *,
    metric: str,
    seed: int,
    num_threads: int,
    progress: Callable[[], Any],
) -> list[Found]:
    """Return what the optimiser makes of each start; starts at which the volumes do not meet are left out.

    SimpleITK releases the interpreter, so that starts run beside each other; each on one thread, because ITK's sums
    depend on how many there are. Ctrl-C stops all of them at their next iteration.
    """
    stop = threading.Event()
    images = _image(fixed.values, fixed), _image(fixed.mask, fixed)
    others = _image(moving.values, moving), _image(moving.mask, moving)
    middle = _middle(fixed)
    share = min(1.0, _SAMPLES / max(int(np.count_nonzero(fixed.mask)), 1))

    def run(start: NDArray[np.float64]) -> Found | None:
        return None if stop.is_set() else _run(images, others, start, middle, metric, share, seed, stop)

    found: list[Found] = []
    pool = ThreadPoolExecutor(max(1, min(num_threads, len(starts))))
    try:
        for result in pool.map(run, starts):
            if result is not None:
                found.append(result)
            progress()
    except BaseException:
        stop.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return found


def _image(array: NDArray[Any], level: Level) -> Any:
    return Volume.on(level.grid, array).to_sitk()


def _middle(level: Level) -> NDArray[np.float64]:
    to_world = level.grid.voxel_to_world
    return np.asarray(to_world[:3, :3] @ ((np.array(level.grid.size) - 1) / 2) + to_world[:3, 3], np.float64)


def _run(
    fixed: tuple[Any, Any],
    moving: tuple[Any, Any],
    start: NDArray[np.float64],
    middle: NDArray[np.float64],
    metric: str,
    share: float,
    seed: int,
    stop: threading.Event,
) -> Found | None:
    import SimpleITK as sitk

    placed, placed_mask = (_moved(image, start) for image in moving)  # so that the search is about the identity
    method = sitk.ImageRegistrationMethod()
    if metric == "mutual_information":
        method.SetMetricAsMattesMutualInformation(_BINS)
    else:
        method.SetMetricAsCorrelation()
    if share < 1:
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(share, seed + 1)  # 0 would be the clock
    method.SetMetricFixedMask(fixed[1])
    method.SetMetricMovingMask(placed_mask)
    method.SetInterpolator(sitk.sitkLinear)
    step = max(fixed[0].GetSpacing())
    method.SetOptimizerAsRegularStepGradientDescent(step, 0.005 * step, _ITERATIONS, gradientMagnitudeTolerance=1e-9)
    method.SetOptimizerScalesFromPhysicalShift()
    transform = sitk.Euler3DTransform()
    transform.SetCenter(middle.tolist())
    method.SetInitialTransform(transform, True)
    method.SetNumberOfThreads(1)
    method.SetNumberOfWorkUnits(1)
    method.AddCommand(sitk.sitkIterationEvent, lambda: method.StopRegistration() if stop.is_set() else None)
    try:
        method.Execute(fixed[0], placed)
    except RuntimeError:  # no common voxels: a start that leads nowhere
        return None
    fixed_to_placed = np.eye(4)
    fixed_to_placed[:3, :3] = np.reshape(transform.GetMatrix(), (3, 3))
    fixed_to_placed[:3, 3] = np.add(transform.GetTranslation(), middle) - fixed_to_placed[:3, :3] @ middle
    return Found(np.linalg.inv(fixed_to_placed) @ start, int(method.GetOptimizerIteration()))


def _moved(image: Any, motion: NDArray[np.float64]) -> Any:
    """Return an image with its geometry moved; the voxels are shared."""
    import SimpleITK as sitk

    moved = sitk.Image(image)
    moved.SetDirection((motion[:3, :3] @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    moved.SetOrigin((motion[:3, :3] @ image.GetOrigin() + motion[:3, 3]).tolist())
    return moved
