"""What `usfast info` tells about a tracked sweep, without reading its pixels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from usfast.cli.wording import in_words
from usfast.errors import GeometryError

if TYPE_CHECKING:
    from usfast.io import Description
    from usfast.io.recording import Recording

__all__ = ["sweep_facts", "sweep_rows"]

Facts = dict[str, Any]


def sweep_facts(path: Path, config: Path | None, image_frame: str | None, reference_frame: str | None) -> Facts:
    """Return what a sweep or a recording of poses holds, as JSON knows it; "warnings" lists what looks wrong.

    Raises
    ------
    FormatError
        If the header cannot be read.
    """
    from usfast.io import describe, read_transforms
    from usfast.io.sweeps import open_sweep

    facts = _header_facts(describe(path, config))
    warnings: list[str] = facts["warnings"]
    if facts["kind"] != "sweep":
        warnings.append("the recording has no images")
        return facts | _time_facts(read_transforms(path).timestamps, warnings)
    try:
        recording = open_sweep(path, config, image_frame=image_frame, reference_frame=reference_frame)
    except GeometryError as error:  # no way from the image to the reference: the rest is worth telling
        warnings.append(f"no poses: {in_words(error).removeprefix(f'{path}: ')}")
        return facts | _time_facts(read_transforms(path).timestamps, warnings)
    warnings.extend(recording.meta.get("warnings", ()))
    facts["pose"] = recording.meta.get("image_to_world", "ImageToWorld")
    facts |= _time_facts(recording.timestamps, warnings)
    if not recording.meta.get("tracked", True):
        warnings.append("the file holds no poses")
        return facts
    return facts | _geometry_facts(recording, str(facts["pose"]), warnings)


def _header_facts(description: Description) -> Facts:
    return {
        "file": description.path,
        "kind": description.kind,
        "format": description.format,
        "frames": description.frames,
        "image_size": list(description.size),
        "dtype": description.dtype,
        "channels": description.channels,
        "orientation": description.orientation,
        "transforms": {name: dict(counts) for name, counts in description.transforms.items()},
        "warnings": [],
    }


def _time_facts(stamps: NDArray[np.float64] | None, warnings: list[str]) -> Facts:
    if stamps is None or np.count_nonzero(np.isfinite(stamps)) < 2:
        return {}
    known = stamps[np.isfinite(stamps)]
    steps = np.diff(known)
    median = float(np.median(steps))
    if (backwards := np.count_nonzero(steps <= 0)) > 0:
        warnings.append(f"timestamps do not increase in {backwards} of {steps.size} steps")
    if median > 0 and (pauses := np.count_nonzero(steps > 10 * median)) > 0:
        warnings.append(f"{pauses} pauses of more than 10 frames, the longest {steps.max():.3g} s")
    return {
        "duration_s": float(known.max() - known.min()),
        "frame_rate_hz": 1 / median if median > 0 else None,
    }


def _geometry_facts(recording: Recording, pose: str, warnings: list[str]) -> Facts:
    valid = np.ones(recording.frames, bool) if recording.valid is None else recording.valid
    count = int(np.count_nonzero(valid))
    if not count:
        warnings.append("no frame has a valid pose")
        return {"valid_frames": 0}
    if count < recording.frames and not recording.meta.get("warnings"):
        warnings.append(f"{recording.frames - count} of {recording.frames} frames have no valid pose")
    poses = recording.image_to_world[valid]
    lengths = np.median(np.linalg.norm(poses[:, :3, :2], axis=1), axis=0)
    _check_pixels(poses, lengths, pose, warnings)
    height, width = recording.size
    corners = np.array([[u, v, 0, 1] for u in (0, width - 1) for v in (0, height - 1)])
    places = poses[:, :3] @ corners.T
    low, high = places.min(axis=(0, 2)), places.max(axis=(0, 2))
    moved = np.linalg.norm(np.diff(places.mean(axis=2), axis=0), axis=1)
    _check_jumps(moved, np.flatnonzero(valid), warnings)
    return {
        "valid_frames": count,
        "pixel_spacing_mm": lengths.tolist(),
        "low_mm": low.tolist(),
        "high_mm": high.tolist(),
        "extent_mm": (high - low).tolist(),
        "path_length_mm": float(moved.sum()),
    }


def _check_pixels(poses: NDArray[np.float64], lengths: NDArray[np.float64], pose: str, warnings: list[str]) -> None:
    """Warn of pixel axes that no calibrated probe has."""
    if np.abs(lengths - 1).max() < 1e-3:
        warnings.append(f"image-to-probe has no scale: in {pose} a pixel measures 1 mm; is the calibration missing?")
    elif lengths.min() < 0.005 or lengths.max() > 2:
        warnings.append(f"a pixel measures {lengths[0]:.3g} x {lengths[1]:.3g} mm; are the units mm?")
    u, v = poses[:, :3, 0], poses[:, :3, 1]
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.abs((u * v).sum(axis=1)) / (np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1))
    if (skew := np.degrees(np.arcsin(min(np.nan_to_num(cosine).max(), 1)))) > 5:
        warnings.append(f"the image's axes are {90 - skew:.0f} degrees apart instead of 90")


def _check_jumps(moved: NDArray[np.float64], frames: NDArray[np.intp], warnings: list[str]) -> None:
    """Warn of steps far longer than the others: a lost tracker, or passes joined without a gap."""
    if moved.size < 3:
        return
    jumps = np.flatnonzero(moved > max(10 * float(np.median(moved)), 5.0))
    if jumps.size:
        most = int(moved.argmax())
        warnings.append(f"{jumps.size} jumps of the probe, the largest {moved[most]:.0f} mm after frame {frames[most]}")


def sweep_rows(facts: Facts) -> list[tuple[str, str]]:
    """Return the facts in words, name and value."""
    rows = [("format", f"{facts['format']} ({facts['kind']})"), ("frames", _frames_in_words(facts))]
    if facts["image_size"]:
        rows.append(("image", f"{_by(facts['image_size'])} pixels (columns x rows), {facts['dtype']}"))
    if facts["orientation"]:
        rows.append(("orientation", facts["orientation"]))
    if "pixel_spacing_mm" in facts:
        rows.append(("pixel", f"{_by(facts['pixel_spacing_mm'])} mm"))
        low, high = facts["low_mm"], facts["high_mm"]
        ranges = (f"{a} {lo:.1f} to {hi:.1f}" for a, lo, hi in zip("xyz", low, high, strict=True))
        rows.append(("extent", f"{_by(facts['extent_mm'])} mm ({', '.join(ranges)})"))
        rows.append(("path", f"{facts['path_length_mm']:.4g} mm long"))
    if "duration_s" in facts:
        rate = f", {facts['frame_rate_hz']:.3g} frames a second" if facts["frame_rate_hz"] else ""
        rows.append(("time", f"{facts['duration_s']:.4g} s{rate}"))
    if "pose" in facts:
        rows.append(("pose", facts["pose"]))
    for name, counts in facts["transforms"].items():
        rows.append((f"  {name}", ", ".join(f"{status} in {n} frames" for status, n in counts.items())))
    return rows


def _frames_in_words(facts: Facts) -> str:
    if "valid_frames" not in facts:
        return str(facts["frames"])
    return f"{facts['frames']}, {facts['valid_frames']} with a valid pose"


def _by(values: list[float]) -> str:
    return " x ".join(f"{value:.4g}" for value in values)
