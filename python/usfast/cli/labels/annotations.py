"""What an expert drew on a sweep: in the sweep's file, a folder of pictures, contours or a stack of frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from usfast.cli.console import progress_bar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from usfast.sweep import Sweep

__all__ = ["annotated_sweep", "thinned"]

_SWEEPS = (".npz", ".h5", ".hdf5")
_Drawn = tuple["NDArray[Any]", "NDArray[Any]", dict[int, str]]


def annotated_sweep(
    path: Path, config: Path | None, annotations: Path | None, first: int
) -> tuple[Sweep, NDArray[Any], dict[int, str]]:
    """Read a sweep and what was drawn on it.

    Parameters
    ----------
    path, config : Path
        The sweep.
    annotations : Path or None
        None: the labels of the sweep's own file. A folder of PNG masks, contours (.json), annotated frames as a sweep
        of their own (.npz, .h5), or a label volume whose slices are the frames.
    first : int
        Number of the first frame in the names of PNG masks.

    Returns
    -------
    sweep : Sweep
        With labels.
    annotated : (N,) bool array
    names : dict of int to str
    """
    from usfast import io

    if annotations is not None and not annotations.exists():
        raise FileNotFoundError(f"{annotations}: no such file or folder")
    with progress_bar(f"reading {path.name}") as progress:
        sweep = io.read_sweep(path, config, progress=progress)
    if annotations is None:
        if sweep.labels is None:
            raise ValueError(f"{path}: the file holds no labels; give them with --annotations")
        return sweep, _some(sweep.labels), {}
    labels, annotated, names = _read(annotations, sweep, first)
    if labels.shape != sweep.frames.shape:
        raise ValueError(f"{annotations}: annotations {labels.shape}, but {path.name} has frames {sweep.frames.shape}")
    return replace(sweep, labels=labels), annotated, names


def thinned(sweep: Sweep, annotated: NDArray[Any], every: int, largest_step: float) -> NDArray[Any]:
    """Return which frames remain where each `every`-th annotated frame of a pass is used, and its last."""
    import numpy as np

    if every == 1:
        return annotated
    from usfast.labels.interpolation.annotations import read_annotations

    part = read_annotations(sweep, annotated, largest_step=largest_step).part
    kept = np.zeros_like(annotated)
    for number in range(int(part.max()) + 1):
        frames = np.flatnonzero(annotated & (part == number))
        kept[frames[::every]] = True
        kept[frames[-1:]] = True
    return kept


def _read(path: Path, sweep: Sweep, first: int) -> _Drawn:
    suffix = path.suffix.lower()
    if path.is_dir():
        from usfast.labels.files.frame_masks import read_frame_masks

        return *read_frame_masks(path, len(sweep), sweep.image_size, first=first), {}
    if suffix == ".json":
        from usfast.labels.files.annotation_json import read_contours

        contours = read_contours(path)
        return *contours.masks(), dict(contours.names)
    if suffix in _SWEEPS:
        return _frames_of_a_sweep(path, sweep)
    from usfast.labels.files.label_files import read_labels

    if _is_sequence(path):
        raise ValueError(f"{path}: a sweep of images, not labels")
    found = read_labels(path)
    array = found.labels.array
    return array, _some(array), found.names


def _frames_of_a_sweep(path: Path, sweep: Sweep) -> _Drawn:
    """Put annotated frames that are a sweep of their own at their places, which their times tell."""
    import numpy as np

    from usfast import io

    drawn = io.read_sweep(path)
    if drawn.labels is None:
        raise ValueError(f"{path}: the file holds no labels")
    if drawn.image_size != sweep.image_size:
        raise ValueError(f"{path}: frames of {drawn.image_size} pixels, but the sweep has {sweep.image_size}")
    if drawn.timestamps is None or sweep.timestamps is None:
        if len(drawn) != len(sweep):
            raise ValueError(f"{path}: {len(drawn)} frames without times cannot be found among {len(sweep)}")
        return drawn.labels, _some(drawn.labels), {}
    order = np.argsort(sweep.timestamps)
    times = sweep.timestamps[order]
    right = np.clip(np.searchsorted(times, drawn.timestamps), 1, len(times) - 1) if len(times) > 1 else 0 * order[:1]
    near = np.where(np.abs(times[right - 1] - drawn.timestamps) < np.abs(times[right] - drawn.timestamps),
                    right - 1, right)  # fmt: skip
    apart = np.abs(times[near] - drawn.timestamps)
    if (apart > 1e-4).any():
        worst = int(np.argmax(apart))
        raise ValueError(f"{path}: no frame of the sweep was taken at {drawn.timestamps[worst]:.4f} s (frame {worst})")
    places = order[near]
    if len(set(places.tolist())) < len(places):
        raise ValueError(f"{path}: two annotated frames have the time of one frame of the sweep")
    labels = np.zeros(sweep.frames.shape, drawn.labels.dtype)
    annotated = np.zeros(len(sweep), bool)
    labels[places], annotated[places] = drawn.labels, True
    return labels, annotated, {}


def _is_sequence(path: Path) -> bool:
    """Return whether a MetaImage or NRRD is a tracked sequence: its grey values would pass for labels."""
    from usfast.io import describe

    name = path.name.lower()
    if name.endswith(".seg.nrrd") or not name.endswith((".mha", ".mhd", ".nrrd", ".nhdr")):
        return False
    return describe(path).kind != "volume"


def _some(labels: NDArray[Any]) -> NDArray[Any]:
    """Return which frames hold a label."""
    import numpy as np

    return np.asarray(labels.any(axis=(1, 2)))
