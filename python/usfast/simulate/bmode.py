"""B-mode frames of a phantom at any pose, with their ground truth."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._threads import get_num_threads
from usfast.simulate.arguments import as_pose, as_poses, as_probe, as_scene, as_seed, as_settings
from usfast.simulate.beams import receive
from usfast.simulate.borders import classify_borders, label_borders
from usfast.simulate.filters import reduce_speckle
from usfast.simulate.probe import Probe
from usfast.simulate.scan import compress, envelope_at_pixels, pixel_places, steps_at_pixels
from usfast.simulate.scene import Scene, in_chunks
from usfast.simulate.settings import BModeSettings

__all__ = [
    "BModeFrame",
    "BModeFrames",
    "iter_bmode",
    "simulate_bmode",
    "simulate_envelope",
    "simulate_frame",
    "simulate_iq",
]

_FLOOR = np.float32(1e-12)  # an envelope of zero, in the logarithm


@dataclass(frozen=True, eq=False)
class BModeFrame:
    """One simulated frame and its truth.

    Attributes
    ----------
    image : (H, W) uint8 array
        Log-compressed; 0 outside the probe's mask.
    labels : (H, W) uint8 array
        The phantom's label at each pixel's centre, outside the mask too.
    shadow : (H, W) bool array
        Pixels that the beam reached too weakly, by ``settings.shadow_db``.
    border : (H, W) uint8 array
        On the pixels at either side of a label border 1 (completed: the image does not show it) or 2 (distinct);
        0 elsewhere. `classify_borders` says how they are told apart.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    shadow: NDArray[np.bool_]
    border: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class BModeFrames:
    """Simulated frames: the fields of `BModeFrame` with a leading axis (N)."""

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    shadow: NDArray[np.bool_]
    border: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.image)


def simulate_frame(
    phantom: Scene,
    probe_to_world: ArrayLike,
    probe: Probe,
    *,
    settings: BModeSettings | None = None,
    seed: int = 0,
) -> BModeFrame:
    """Simulate the B-mode frame of a phantom at one pose.

    Parameters
    ----------
    phantom : Phantom
        Anything of `usfast.phantom` that has tissues.
    probe_to_world : (4, 4) array
        Rigid, mm.
    probe : LinearProbe or ConvexProbe
    settings : BModeSettings, optional
    seed : int
        Of the scatterers and the noise; one seed, one body.

    Returns
    -------
    BModeFrame
        The same arguments give the same bits.

    Raises
    ------
    TypeError, ValueError
        If arguments are of the wrong kind, shape or range.
    GeometryError
        If the pose is not finite and rigid.

    Notes
    -----
    Echoes of point scatterers with a Gaussian point-spread function are summed coherently on the lines of sight, as
    in Bamber and Dickinson, Phys. Med. Biol. 25 (1980), with the elevational beam of the lens as the third dimension.
    Refraction, multiple scattering and aberration are left out. `docs/simulate.md` has the whole chain.

    Examples
    --------
    >>> import numpy as np
    >>> from types import SimpleNamespace
    >>> from usfast.simulate import LinearProbe
    >>> gel = SimpleNamespace(
    ...     tissues=(SimpleNamespace(attenuation=0.5, impedance=1.6),),
    ...     tissue=lambda points: np.zeros(points.shape[:-1], np.uint8),
    ...     echo_db=lambda points, tissue: np.full(tissue.shape, -20, np.float32),
    ...     normal=lambda points: np.broadcast_to(np.float32([0, 1, 0]), points.shape),
    ...     labels=lambda points: np.zeros(points.shape[:-1], np.uint8),
    ... )
    >>> frame = simulate_frame(gel, np.eye(4), LinearProbe(width=10, depth=10, shape=(64, 48), lines=64))
    >>> frame.image.shape, bool(60 < frame.image.mean() < 160)
    ((64, 48), True)
    """
    return _frame(as_scene(phantom), as_pose(probe_to_world), as_probe(probe), as_settings(settings), as_seed(seed))


def simulate_bmode(
    phantom: Scene,
    probe_to_world: ArrayLike,
    probe: Probe,
    *,
    settings: BModeSettings | None = None,
    seed: int = 0,
    num_threads: int | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> BModeFrames:
    """Simulate the B-mode frames of a phantom at many poses.

    Parameters
    ----------
    phantom, probe, settings, seed
        As of `simulate_frame`.
    probe_to_world : (N, 4, 4) array
        Rigid, mm.
    num_threads : int, optional
        Frames in work at a time; does not change the result.
    progress : callable, optional
        Called with (frames done, frames in all) after each.

    Returns
    -------
    BModeFrames
        4 bytes a pixel in all. `iter_bmode` needs memory for a few frames only.

    Raises
    ------
    TypeError, ValueError, GeometryError
        As of `simulate_frame`.

    Examples
    --------
    >>> from usfast.phantom import HomogeneousPhantom
    >>> from usfast.simulate import LinearProbe
    >>> probe = LinearProbe(width=10, depth=12, shape=(60, 50), lines=64)
    >>> frames = simulate_bmode(HomogeneousPhantom(), np.tile(np.eye(4), (2, 1, 1)), probe)
    >>> frames.image.shape, bool((frames.image[0] == frames.image[1]).all())  # one pose, the same bits
    ((2, 60, 50), True)
    """
    poses = as_poses(probe_to_world)
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")
    shape = (len(poses), *as_probe(probe).shape)
    frames = BModeFrames(
        np.empty(shape, np.uint8), np.empty(shape, np.uint8), np.empty(shape, bool), np.empty(shape, np.uint8)
    )
    found = iter_bmode(phantom, poses, probe, settings=settings, seed=seed, num_threads=num_threads)
    for n, frame in enumerate(found):
        frames.image[n], frames.labels[n] = frame.image, frame.labels
        frames.shadow[n], frames.border[n] = frame.shadow, frame.border
        if progress is not None:
            progress(n + 1, len(poses))
    return frames


def iter_bmode(
    phantom: Scene,
    probe_to_world: ArrayLike,
    probe: Probe,
    *,
    settings: BModeSettings | None = None,
    seed: int = 0,
    num_threads: int | None = None,
) -> Iterator[BModeFrame]:
    """Return an iterator over the frames of `simulate_bmode`, in order, a few in memory at a time.

    Parameters
    ----------
    phantom, probe_to_world, probe, settings, seed, num_threads
        As of `simulate_bmode`. They are checked at once, not at the first frame.

    Returns
    -------
    iterator of BModeFrame

    Raises
    ------
    TypeError, ValueError, GeometryError
        As of `simulate_frame`.

    Examples
    --------
    >>> from usfast.phantom import HomogeneousPhantom
    >>> from usfast.simulate import LinearProbe
    >>> probe = LinearProbe(width=10, depth=12, shape=(60, 50), lines=64)
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> sum(frame.image.size for frame in iter_bmode(HomogeneousPhantom(), poses, probe))
    9000
    """
    scene, poses, checked = as_scene(phantom), as_poses(probe_to_world), as_probe(probe)
    options, number, threads = as_settings(settings), as_seed(seed), get_num_threads(num_threads)

    def work(pose: NDArray[np.float64]) -> BModeFrame:
        return _frame(scene, pose, checked, options, number)

    return _in_order(work, poses, min(threads, len(poses)))


def _in_order(
    work: Callable[[NDArray[np.float64]], BModeFrame], poses: NDArray[np.float64], threads: int
) -> Iterator[BModeFrame]:
    if threads == 1:
        yield from map(work, poses)
        return
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[BModeFrame]] = deque()
        try:
            for pose in poses:
                waiting.append(pool.submit(work, pose))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:  # Ctrl-C, or the caller has seen enough: do not finish what is queued
            pool.shutdown(wait=False, cancel_futures=True)


def simulate_iq(
    phantom: Scene,
    probe_to_world: ArrayLike,
    probe: Probe,
    *,
    settings: BModeSettings | None = None,
    seed: int = 0,
) -> NDArray[np.complex64]:
    """Return the demodulated echoes of one pose in beam space, before envelope, compression and scan conversion.

    Parameters
    ----------
    phantom, probe_to_world, probe, settings, seed
        As of `simulate_frame`. ``BModeSettings(attenuation=False, speculars=False, tgc=0.0, noise_db=-inf)`` leaves
        pure speckle.

    Returns
    -------
    (lines, samples) complex64 array
        At `probe.line_laterals` and `probe.sample_depths`. A tissue of 0 dB has a mean magnitude of 1.

    Raises
    ------
    TypeError, ValueError, GeometryError
        As of `simulate_frame`.

    Examples
    --------
    >>> from usfast.phantom import HomogeneousPhantom
    >>> from usfast.simulate import LinearProbe
    >>> probe = LinearProbe(width=10, depth=12, shape=(60, 50), lines=64)
    >>> echoes = simulate_iq(HomogeneousPhantom(), np.eye(4), probe)
    >>> echoes.dtype.name, echoes.shape == (probe.lines, probe.samples)
    ('complex64', True)
    """
    echoes = receive(as_scene(phantom), as_pose(probe_to_world), as_probe(probe), as_settings(settings), as_seed(seed))
    return echoes.speckle if echoes.interfaces is None else echoes.speckle + echoes.interfaces


def simulate_envelope(
    phantom: Scene,
    probe_to_world: ArrayLike,
    probe: Probe,
    *,
    settings: BModeSettings | None = None,
    seed: int = 0,
) -> NDArray[np.float32]:
    """Return the linear envelope of one pose at the image's pixels, before log compression and filter.

    Parameters
    ----------
    phantom, probe_to_world, probe, settings, seed
        As of `simulate_iq`.

    Returns
    -------
    (H, W) float32 array
        0 outside the probe's mask.

    Raises
    ------
    TypeError, ValueError, GeometryError
        As of `simulate_frame`.

    Examples
    --------
    >>> from usfast.phantom import HomogeneousPhantom
    >>> from usfast.simulate import LinearProbe
    >>> probe = LinearProbe(width=10, depth=12, shape=(60, 50), lines=64)
    >>> envelope = simulate_envelope(HomogeneousPhantom(), np.eye(4), probe)
    >>> envelope.shape, bool((envelope >= 0).all())
    ((60, 50), True)
    """
    checked = as_probe(probe)
    echoes = receive(as_scene(phantom), as_pose(probe_to_world), checked, as_settings(settings), as_seed(seed))
    return envelope_at_pixels(echoes, checked)


def _frame(phantom: Scene, pose: NDArray[np.float64], probe: Probe, settings: BModeSettings, seed: int) -> BModeFrame:
    echoes = receive(phantom, pose, probe, settings, seed)
    envelope_db = np.float32(20) * np.log10(np.maximum(envelope_at_pixels(echoes, probe), _FLOOR))
    mask = pixel_places(probe)[..., 0] >= 0  # probe.mask, without making it again
    image = compress(envelope_db, settings.white_db, settings.dynamic_range_db)
    if settings.filter is not None:
        image = reduce_speckle(image, settings.filter, settings.filter_size, settings.dynamic_range_db)
        image[~mask] = 0
    shadow = (steps_at_pixels(echoes.excess_db, echoes.stride, probe) > settings.shadow_db) & mask
    labels = _labels(phantom, pose @ probe.image_to_probe, probe.shape)
    border = _borders(phantom, pose, probe, settings, envelope_db, labels, shadow, mask)
    return BModeFrame(image, labels, shadow, border)


def _pixel_points(image_to_world: NDArray[np.float64], row: NDArray[Any], column: NDArray[Any]) -> NDArray[np.float32]:
    """World places (..., 3) of pixels."""
    places = row[..., None] * image_to_world[:3, 1] + column[..., None] * image_to_world[:3, 0]
    places += image_to_world[:3, 3]
    return places.astype(np.float32)


def _labels(phantom: Scene, image_to_world: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.uint8]:
    down = np.arange(shape[0])[:, None] * image_to_world[:3, 1] + image_to_world[:3, 3]
    across = np.arange(shape[1])[:, None] * image_to_world[:3, 0]
    points = (down[:, None] + across).astype(np.float32).reshape(-1, 3)
    return in_chunks(phantom.labels, points, np.empty(len(points), np.uint8)).reshape(shape)


def _borders(
    phantom: Scene,
    pose: NDArray[np.float64],
    probe: Probe,
    settings: BModeSettings,
    envelope_db: NDArray[np.float32],
    labels: NDArray[np.uint8],
    shadow: NDArray[np.bool_],
    mask: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    to_probe = probe.image_to_probe

    def image_normals(row: NDArray[np.intp], column: NDArray[np.intp]) -> NDArray[np.float64]:
        normal = np.asarray(phantom.normal(_pixel_points(pose @ to_probe, row, column)), np.float64)
        return np.asarray((normal @ pose[:3, :3])[:, :2])

    white = settings.white_db
    return classify_borders(
        label_borders(labels, mask),
        np.clip(envelope_db, white - settings.dynamic_range_db, white),
        shadow,
        (float(to_probe[0, 0]), float(to_probe[1, 1])),
        image_normals,
        settings.border_distance,
        settings.border_contrast_db,
    )
