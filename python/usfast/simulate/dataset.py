"""`write_dataset`: many simulated subjects on disk, in parallel, to be interrupted and continued at will."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usfast._threads import get_num_threads
from usfast.errors import FormatError
from usfast.io.atomic import replacing
from usfast.phantom.trajectories import FRAME_RATE, HandMotion, TrackerModel
from usfast.simulate.dataset_options import FORMATS, PARTS, DatasetOptions, SubjectPlan, differences
from usfast.simulate.manifest import (
    MANIFEST,
    check_files,
    fingerprint,
    header,
    inside,
    is_subject_name,
    read_json,
    read_manifest,
    software,
    write_json,
)
from usfast.simulate.subjects import RECORD, calibration, label_grid, make_phantom
from usfast.simulate.workers import made_subjects

if TYPE_CHECKING:
    from usfast.simulate.probe import ConvexProbe, LinearProbe
    from usfast.simulate.settings import BModeSettings

__all__ = ["CALIBRATION", "estimate_bytes", "write_dataset"]

CALIBRATION = "calib_matrix.csv"
Progress = Callable[[int, int], Any]
_Entries = dict[str, dict[str, Any]]


def write_dataset(
    folder: str | Path,
    *,
    subjects: int = 44,
    seed: int = 0,
    phantom: str = "calf",
    passes: int | tuple[int, int] = (4, 6),
    frames: int = 300,
    overlap: float = 0.3,
    frame_rate: float = FRAME_RATE,
    probe: LinearProbe | ConvexProbe | None = None,
    settings: BModeSettings | None = None,
    hand: HandMotion | None = None,
    tracker: TrackerModel | None = None,
    annotate_every: int = 10,
    annotation_mm: float = 0.0,
    label_spacing: float = 0.5,
    formats: str | tuple[str, ...] = FORMATS,
    compress: bool = True,
    overwrite: bool = False,
    workers: int = 1,
    num_threads: int | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Simulate a data set of tracked, annotated sweeps with known truth, like the thesis' LEG-3D-US.

    The same options give the same bytes, for any number of workers and threads. Each subject's folder appears
    complete or not at all: a run that was interrupted is continued by the same call. Folders whose files are
    not as listed are made again.

    Parameters
    ----------
    folder : str or Path
        Where to; made if missing. It must be empty or hold a data set of the same options.
    subjects, seed : int
        How many, and what they are drawn from. Subject k is the same in sets of any size.
    phantom : str
        "calf", "thyroid" or "prostate".
    passes : int or (int, int)
        Overlapping passes over the body; the least and the most: drawn for each subject.
    frames : int
        In each pass.
    overlap, frame_rate
        As for `scan_passes`; its width is that of the image.
    probe : LinearProbe or ConvexProbe, optional
        Default: `LinearProbe()`.
    settings : BModeSettings, optional
        Default: `BModeSettings()`.
    hand : HandMotion, optional
        Default: `HandMotion()`.
    tracker : TrackerModel, optional
        Default: noise of 0.1 mm and 0.05 degrees.
    annotate_every : int
        One frame in so many is annotated, the first of each pass among them.
    annotation_mm : float
        How far the annotator's borders stray, mm; see `drawn_by_hand`.
    label_spacing : float
        Voxels of the label volumes, mm.
    formats : str or tuple of str
        How sweeps are kept: "h5" (TUS-REC), "igs.mha" (PLUS) or both.
    compress : bool
        Of the sweeps' frames, losslessly.
    overwrite : bool
        Start anew where the folder holds a data set of other options: its subjects are deleted.
    workers : int
        Subjects made at once, each in a process of its own. With more than one, a script needs
        ``if __name__ == "__main__":`` around the call.
    num_threads : int, optional
        Frames simulated at once over all workers.
    progress : callable, optional
        Called with (frames done, frames in all) of the subjects still to make.

    Returns
    -------
    dict
        The manifest, as in ``manifest.json``.

    Raises
    ------
    ValueError
        If an option makes no sense, or the folder holds a data set of other options or of another version of
        usfast.
    FileExistsError
        If the folder holds anything else.
    OSError
        If the disk has no room for the estimated size, another run writes to the folder, or the file system
        refuses.
    MemoryError
        If the frames of a pass do not fit for every worker.
    UsfastError
        If a worker process dies.
    KeyboardInterrupt
        After Ctrl-C; finished subjects are kept.

    Notes
    -----
    Memory is about the frames of one pass for each worker.

    Examples
    --------
    >>> import tempfile
    >>> from usfast.simulate import LinearProbe
    >>> probe = LinearProbe(width=16, depth=16, shape=(32, 40))
    >>> options = {"subjects": 1, "passes": 1, "frames": 2, "probe": probe, "label_spacing": 8.0}
    >>> manifest = write_dataset(tempfile.mkdtemp(), **options)
    >>> manifest["complete"], manifest["split"]["train"], manifest["subjects"][0]["sweeps"][0]["files"]
    (True, ['subject_000'], {'h5': 'sweep_0.h5', 'igs.mha': 'sweep_0.igs.mha'})
    """
    options = DatasetOptions(
        subjects=subjects,
        seed=seed,
        phantom=phantom,
        passes=passes if isinstance(passes, tuple) else (passes, passes),
        frames=frames,
        overlap=overlap,
        frame_rate=frame_rate,
        probe=probe,
        settings=settings,
        hand=HandMotion() if hand is None else hand,
        tracker=TrackerModel(noise_mm=0.1, noise_deg=0.05) if tracker is None else tracker,
        annotate_every=annotate_every,
        annotation_mm=annotation_mm,
        label_spacing=label_spacing,
        formats=(formats,) if isinstance(formats, str) else tuple(formats),
        compress=compress,
    )
    crew, threads = _whole_workers(workers), get_num_threads(num_threads)
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    with _alone(target):
        entries = _finished(target, options, overwrite)
        plans = options.plans()
        missing = [plan for plan in plans if plan.name not in entries]
        crew = max(1, min(crew, len(missing)))
        _check_memory(options, crew)
        _check_room(target, options, missing)
        _write_calibration(target / CALIBRATION, options)
        _publish(target, options, plans, entries)
        each = max(1, threads // crew)
        try:
            for entry in made_subjects(target, options, missing, workers=crew, num_threads=each, progress=progress):
                entries[entry["id"]] = entry
                _publish(target, options, plans, entries)
        except BaseException:  # Ctrl-C too: other workers may have finished a subject meanwhile
            late = {plan.name: _complete(target / plan.name, plan) for plan in missing if plan.name not in entries}
            with suppress(OSError):
                _publish(target, options, plans, entries | {name: entry for name, entry in late.items() if entry})
            raise
        return read_json(target / MANIFEST)


def estimate_bytes(options: DatasetOptions, plans: list[SubjectPlan]) -> int:
    """Return about how many bytes these subjects take on disk; rather too many.

    Speckle hardly compresses, so frames count in full; label volumes shrink to a tenth at least. The first
    subject's size stands for all.

    Examples
    --------
    >>> estimate_bytes(DatasetOptions(), [])
    0
    """
    if not plans:
        return 0
    height, width = options.the_probe().shape
    annotated = -(-options.frames // options.annotate_every)
    each = height * width * (options.frames * len(options.formats) + 2 * annotated) + 1000 * options.frames
    bounds = np.asarray(make_phantom(options, plans[0]).bounds)
    return (
        sum(plan.passes for plan in plans) * each + len(plans) * label_grid(bounds, options.label_spacing).voxels // 10
    )


def _whole_workers(workers: int) -> int:
    if isinstance(workers, bool) or not isinstance(workers, (int, np.integer)) or not 1 <= workers <= 1024:
        raise ValueError(f"workers must be a whole number from 1 to 1024, not {workers!r}")
    return int(workers)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other runs out of the folder; the system lifts the lock when this process ends, however it ends."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:  # no POSIX: no lock
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            flock(handle, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            raise OSError(errno.EBUSY, "another run is writing a data set there", str(folder)) from None
        yield
    finally:
        os.close(handle)


def _finished(folder: Path, options: DatasetOptions, overwrite: bool) -> _Entries:
    """Return the entries of the subjects that are complete; remove what is left of the others."""
    for draft in folder.glob(".usfast-*"):  # of a run that was killed; no other one is running
        shutil.rmtree(draft, ignore_errors=True)
    if not (folder / MANIFEST).exists():
        if any(folder.iterdir()):
            raise FileExistsError(f"{folder}: holds files but no {MANIFEST}; give an empty or a new folder")
        return {}
    known = read_manifest(folder)
    wanted = {"options": options.as_json(), "usfast": software()["usfast"]}
    there = {"options": known["options"], "usfast": known["software"].get("usfast")}
    changed = list(differences(wanted, there))
    if changed and not overwrite:
        more = f" (and {len(changed) - 3} more)" if len(changed) > 3 else ""
        raise ValueError(
            f"{folder}: holds a data set of other options: {'; '.join(changed[:3])}{more}; give the same options, "
            "another folder, or ask to overwrite it"
        )
    plans = {plan.name: plan for plan in options.plans()}
    entries: _Entries = {}
    for name in (entry["id"] for entry in known["subjects"]):
        entry = None if changed or name not in plans else _complete(folder / name, plans[name])
        if entry is None:
            _remove(folder / name)
        else:
            entries[name] = entry
    return entries


def _complete(folder: Path, plan: SubjectPlan) -> dict[str, Any] | None:
    """Return the entry of a subject whose files are all there and as listed, else None."""
    try:
        entry = read_json(inside(inside(folder.parent, folder.name), RECORD))
        same = (entry.get("id"), entry.get("part"), entry.get("seeds")) == (plan.name, plan.part, dict(plan.seeds))
        return entry if same and check_files(folder, entry) is None else None
    except (FormatError, FileNotFoundError, NotADirectoryError):
        return None


def _remove(folder: Path) -> None:
    """Delete a subject's folder; a link is cut, not followed."""
    if not is_subject_name(folder.name):
        raise FormatError(f"{folder}: not the folder of a subject")
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def _check_room(folder: Path, options: DatasetOptions, plans: list[SubjectPlan]) -> None:
    need, free = estimate_bytes(options, plans), shutil.disk_usage(folder).free
    if need > free:
        raise OSError(
            errno.ENOSPC,
            f"{len(plans)} subjects need about {need / 1e9:.3g} GB, but the disk has {free / 1e9:.3g} GB free; "
            "take fewer subjects, frames or formats, or smaller images",
            str(folder),
        )


def _check_memory(options: DatasetOptions, workers: int) -> None:
    import psutil

    height, width = options.the_probe().shape
    # A pass of frames; labels, borders, shadows and drawn labels of the annotated ones, and what is packed of them.
    need = workers * height * width * (options.frames + 6 * -(-options.frames // options.annotate_every))
    available = int(psutil.virtual_memory().available)
    if need > available:
        raise MemoryError(
            f"a pass of {options.frames} frames of {width} x {height} pixels for each of {workers} workers needs "
            f"{need / 1e9:.3g} GB, but only {available / 1e9:.3g} GB are available; take fewer frames or workers"
        )


def _publish(folder: Path, options: DatasetOptions, plans: list[SubjectPlan], entries: _Entries) -> None:
    """Write the manifest: a subject not made yet has an entry without files."""
    listed = [
        entries.get(plan.name) or {"id": plan.name, "part": plan.part, "seeds": dict(plan.seeds)} for plan in plans
    ]
    names: dict[str, dict[str, None]] = {}  # several structures may share a label, e.g. vessels
    for structure in (structure for entry in entries.values() for structure in entry["structures"]):
        names.setdefault(str(structure["label"]), {})[structure["name"]] = None
    image_to_probe = np.asarray(options.the_probe().image_to_probe, np.float64)
    manifest: Mapping[str, Any] = {
        **header(),
        "complete": len(entries) == len(plans),
        "software": software(),
        "options": options.as_json(),
        "image": {"shape": list(options.the_probe().shape), "image_to_probe": image_to_probe.tolist()},
        "split": {part: [plan.name for plan in plans if plan.part == part] for part in PARTS},
        "label_names": {label: ", ".join(sorted(names[label])) for label in sorted(names, key=int)},
        "files": {CALIBRATION: fingerprint(folder / CALIBRATION)},
        "subjects": listed,
    }
    write_json(folder / MANIFEST, manifest)


def _write_calibration(path: Path, options: DatasetOptions) -> None:
    """Write the calibration in TUS-REC's layout, for programs that read its scans."""
    steps = calibration(options)
    lines = ["scaling_from_pixel_to_mm"]
    lines += [",".join(f"{number:.17g}" for number in row) for row in steps["pixel_to_mm"]]
    lines += ["spatial_calibration_from_image_coordinate_system_to_tracking_tool_coordinate_system"]
    lines += [",".join(f"{number:.17g}" for number in row) for row in steps["image_mm_to_tool"]]
    with replacing(path) as draft:
        draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
