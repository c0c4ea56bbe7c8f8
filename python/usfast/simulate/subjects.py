"""One simulated subject: a phantom, scanned in passes, written to a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from usfast.io.atomic import replacing_folder
from usfast.phantom.trajectories import TrackedPoses, Trajectory, scan_passes
from usfast.simulate.annotations import drawn_by_hand
from usfast.simulate.dataset_options import PHANTOMS, DatasetOptions, SubjectPlan, plain
from usfast.simulate.manifest import fingerprint, write_json
from usfast.simulate.truth import Truth, write_truth
from usfast.sweep import Sweep
from usfast.volume import Grid

if TYPE_CHECKING:
    from usfast.phantom.tissue import Phantom

__all__ = ["RECORD", "calibration", "label_grid", "make_phantom", "write_subject"]

RECORD = "subject.json"
"""The subject's own entry of the manifest, in its folder."""

_LABELS = "labels.nrrd"
Tick = Callable[[int], object]


def make_phantom(options: DatasetOptions, plan: SubjectPlan) -> Phantom:
    """Return the subject's phantom."""
    from usfast import phantom

    made: Phantom = getattr(phantom, PHANTOMS[options.phantom])(seed=plan.seeds["phantom"])
    return made


def label_grid(bounds: NDArray[np.float64], spacing: float) -> Grid:
    """Return the grid of a subject's label volume: all of the phantom's bounds, in cubes of `spacing` mm."""
    low, high = np.asarray(bounds, np.float64)
    size = np.maximum(np.ceil((high - low) / spacing - 1e-9), 1).astype(int)
    middle = (low + high) / 2
    return Grid(tuple(int(n) for n in size), spacing, middle - spacing * (size - 1) / 2)


def calibration(options: DatasetOptions) -> dict[str, NDArray[np.float64]]:
    """Return the probe's image_to_probe in the two steps of a TUS-REC calibration: a scaling, a rigid motion."""
    image_to_probe = np.asarray(options.the_probe().image_to_probe, np.float64)
    scale = np.diag([*np.linalg.norm(image_to_probe[:3, :3], axis=0), 1.0])
    return {"pixel_to_mm": scale, "image_mm_to_tool": image_to_probe @ np.linalg.inv(scale)}


def write_subject(
    folder: Path,
    options: DatasetOptions,
    plan: SubjectPlan,
    *,
    num_threads: int | None = None,
    tick: Tick = lambda frames: None,
) -> dict[str, Any]:
    """Simulate a subject and write its folder, which appears complete or not at all.

    Parameters
    ----------
    folder : Path
        Of the data set; the subject's own is ``folder / plan.name``.
    options : DatasetOptions
    plan : SubjectPlan
    num_threads : int, optional
        Frames simulated at once; does not change a byte.
    tick : callable
        Called with 1 after each frame and 0 now and then; what it raises ends the work.

    Returns
    -------
    dict
        The subject's entry in the manifest.

    Raises
    ------
    FileExistsError
        If its folder is there and not empty.
    OSError
        If the file system refuses; no folder is left behind.
    """
    phantom = make_phantom(options, plan)
    path = scan_passes(
        phantom,
        plan.passes,
        options.frames,
        width_mm=_width(options),
        overlap=options.overlap,
        hand=options.hand,
        frame_rate=options.frame_rate,
        seed=plan.seeds["path"],
    )
    tracked = options.tracker.report(path, seed=plan.seeds["tracker"])
    with replacing_folder(folder / plan.name) as draft:
        sweeps = []
        for number, frames in enumerate(path.passes()):
            told = TrackedPoses(tracked.probe_to_world[frames], tracked.valid[frames], tracked.timestamps[frames])
            work = _Pass(options, plan, number, path.part(frames), told)
            sweeps.append(work.write(draft, phantom, num_threads, tick))
        _write_labels(draft / _LABELS, phantom, options, tick)
        files = {file.name: fingerprint(file) for file in sorted(draft.iterdir())}
        made = {**_description(options, plan, phantom), "sweeps": sweeps, "labels": _LABELS, "files": files}
        entry: dict[str, Any] = plain(made)
        write_json(draft / RECORD, entry)
    return entry


class _Pass:
    """One pass over the body: the frames on their way from the simulator to the files."""

    def __init__(
        self, options: DatasetOptions, plan: SubjectPlan, number: int, path: Trajectory, told: TrackedPoses
    ) -> None:
        self._options, self._plan, self._number = options, plan, number
        self._path, self._told = path, told
        self._annotated = np.arange(0, len(path), options.annotate_every)
        probe = options.the_probe()
        self._probe = probe
        self._images = np.empty((len(path), *probe.shape), np.uint8)
        maps = (len(self._annotated), *probe.shape)
        self._labels, self._border, self._shadow = (np.empty(maps, dtype) for dtype in (np.uint8, np.uint8, bool))

    def write(self, folder: Path, phantom: Phantom, num_threads: int | None, tick: Tick) -> dict[str, Any]:
        """Simulate the pass, write its files and return what the manifest says of it."""
        self._simulate(phantom, num_threads, tick)
        stem = f"sweep_{self._number}"
        names = {form: f"{stem}.{form}" for form in self._options.formats}
        annotations, truth = f"{stem}_annotations.h5", f"{stem}_truth.h5"
        self._write_sweep(folder, names)
        self._write_annotations(folder / annotations)
        image_to_probe = np.asarray(self._probe.image_to_probe, np.float64)
        poses = self._path.probe_to_world
        write_truth(
            Truth(
                poses @ image_to_probe,
                poses,
                self._path.timestamps,
                self._annotated,
                self._labels,
                self._border,
                self._shadow,
            ),
            folder / truth,
        )
        return {
            "files": names,
            "annotations": annotations,
            "truth": truth,
            "frames": len(self._path),
            "valid": int(np.count_nonzero(self._told.valid)),
            "annotated": len(self._annotated),
            "angle_deg": self._path.meta["angles_deg"][self._number],
        }

    def _simulate(self, phantom: Phantom, num_threads: int | None, tick: Tick) -> None:
        from usfast.simulate import iter_bmode

        frames = iter_bmode(
            phantom,
            self._path.probe_to_world,
            self._probe,
            settings=self._options.the_settings(),
            seed=self._plan.seeds["speckle"],
            num_threads=num_threads,
        )
        every = self._options.annotate_every
        for index, frame in enumerate(frames):
            self._images[index] = frame.image
            if index % every == 0:
                where = index // every
                self._labels[where], self._border[where] = frame.labels, frame.border
                self._shadow[where] = frame.shadow
            tick(1)

    def _write_sweep(self, folder: Path, names: dict[str, str]) -> None:
        from dataclasses import replace

        from usfast import io

        sweep = self._sweep(slice(None), self._images, None)
        for name in names.values():
            # A sequence has no place for the mask of a fan; TUS-REC's calibration means nothing in it either.
            plain_meta = {key: value for key, value in sweep.meta.items() if key != "calibration"}
            part = sweep if name.endswith(".h5") else replace(sweep, mask=None, meta=plain_meta)
            io.write_sweep(part, folder / name, compress=self._options.compress)

    def _write_annotations(self, path: Path) -> None:
        from usfast import io

        image_to_probe = np.asarray(self._probe.image_to_probe, np.float64)
        pixel = tuple(float(size) for size in np.linalg.norm(image_to_probe[:3, :2], axis=0))
        seed = np.random.SeedSequence([self._plan.seeds["annotator"], self._number])
        drawn = np.empty_like(self._labels)
        for where, one in enumerate(seed.generate_state(len(drawn))):
            drawn[where] = drawn_by_hand(
                self._labels[where], (pixel[0], pixel[1]), self._options.annotation_mm, seed=int(one)
            )
        io.write_sweep(self._sweep(self._annotated, self._images[self._annotated], drawn), path)

    def _sweep(
        self, frames: slice | NDArray[np.int64], images: NDArray[np.uint8], labels: NDArray[np.uint8] | None
    ) -> Sweep:
        image_to_probe = np.asarray(self._probe.image_to_probe, np.float64)
        mask = np.asarray(self._probe.mask, bool)
        meta = {
            "subject": self._plan.name,
            "pass": self._number,
            "calibration": {name: step.tolist() for name, step in calibration(self._options).items()},
        }
        if labels is not None:
            meta["frame_index"] = np.arange(len(self._path))[frames].tolist()
        return Sweep(
            images,
            self._told.probe_to_world[frames] @ image_to_probe,
            timestamps=self._told.timestamps[frames],
            valid=self._told.valid[frames],
            mask=None if mask.all() else mask,
            labels=labels,
            meta=meta,
        )


def _write_labels(path: Path, phantom: Phantom, options: DatasetOptions, tick: Tick) -> None:
    from usfast import io
    from usfast.phantom import label_volume

    grid = label_grid(phantom.bounds, options.label_spacing)
    volume = label_volume(phantom, grid, progress=lambda done, total: tick(0))
    io.write_volume(volume, path)


def _description(options: DatasetOptions, plan: SubjectPlan, phantom: Phantom) -> dict[str, Any]:
    structures = [
        {"label": structure.label, "name": structure.name, "volume_ml": float(structure.volume_ml)}
        for structure in phantom.structures
        if structure.label
    ]
    return {
        "id": plan.name,
        "part": plan.part,
        "seeds": plan.seeds,
        "parameters": getattr(phantom, "parameters", None),
        "structures": structures,
    }


def _width(options: DatasetOptions) -> float:
    """Return the image's width, mm; of a fan the mean over its depth."""
    probe = options.the_probe()
    rows = np.count_nonzero(np.asarray(probe.mask, bool), axis=1)
    pixel = float(np.linalg.norm(np.asarray(probe.image_to_probe)[:3, 0]))
    return pixel * float(rows[rows > 0].mean())
