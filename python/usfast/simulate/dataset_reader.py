"""`read_dataset`: a simulated data set, opened without reading a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usfast.errors import FormatError
from usfast.simulate.dataset_options import FORMATS, PARTS
from usfast.simulate.manifest import MANIFEST, check_files, inside, read_manifest
from usfast.simulate.truth import Truth, read_truth
from usfast.sweep import Sweep

if TYPE_CHECKING:
    from usfast.volume import Volume

__all__ = ["Dataset", "DatasetSweep", "Subject", "read_dataset"]


@dataclass(frozen=True)
class DatasetSweep:
    """One pass over a subject's body: files, read when asked for.

    Attributes
    ----------
    paths : mapping
        Format ("h5", "igs.mha") to file.
    annotations_path, truth_path : Path
    frames, annotated : int
        How many frames it has, and how many of them are annotated.
    """

    paths: Mapping[str, Path]
    annotations_path: Path
    truth_path: Path
    frames: int
    annotated: int

    @property
    def path(self) -> Path:
        """The sweep's file, the HDF5 one where there is one."""
        return next(self.paths[name] for name in FORMATS if name in self.paths)

    def read(self) -> Sweep:
        """Return the frames with the poses that the tracker reported; errors as `usfast.io.read_sweep`."""
        from usfast import io

        return io.read_sweep(self.path)

    def parts(self, chunk: int = 64) -> Iterator[Sweep]:
        """Yield the same in parts of at most `chunk` frames."""
        from usfast import io

        return io.iter_sweep(self.path, chunk=chunk)

    def annotations(self) -> Sweep:
        """Return the annotated frames with the annotator's labels; ``meta["frame_index"]`` says which they are."""
        from usfast import io

        return io.read_sweep(self.annotations_path)

    def truth(self) -> Truth:
        """Return true poses, and exact labels, borders and shadows of the annotated frames."""
        return read_truth(self.truth_path)

    def true_sweep(self) -> Sweep:
        """Return the frames with their true poses, all valid.

        Raises
        ------
        FormatError
            If sweep and truth do not belong together.
        """
        sweep, poses = self.read(), self.truth().image_to_world
        if len(poses) != len(sweep):
            raise FormatError(f"{self.truth_path}: {len(poses)} poses, but the sweep has {len(sweep)} frames")
        return replace(sweep, image_to_world=poses, valid=np.ones(len(sweep), bool))


@dataclass(frozen=True)
class Subject:
    """A finished subject of a data set.

    Attributes
    ----------
    name : str
    part : str
        "train", "validation" or "test".
    folder : Path
    sweeps : tuple of DatasetSweep
    entry : mapping
        All that the manifest says: seeds, parameters of the phantom, structures, files.
    """

    name: str
    part: str
    folder: Path
    sweeps: tuple[DatasetSweep, ...]
    entry: Mapping[str, Any]

    @property
    def volumes_ml(self) -> dict[str, float]:
        """Exact volume of each labelled structure by its name, ml."""
        try:
            return {str(known["name"]): float(known["volume_ml"]) for known in self.entry["structures"]}
        except (KeyError, TypeError, ValueError):
            raise FormatError(f"{self.folder}: the manifest's structures have no names and volumes") from None

    def labels(self) -> Volume:
        """Return the exact labels of the whole body, uint8 (Z, Y, X)."""
        from usfast import io

        return io.read_volume(inside(self.folder, self.entry.get("labels")))

    def check(self) -> str | None:
        """Return in words which file is not as the manifest lists it (size, SHA-256); None if all are."""
        return check_files(self.folder, self.entry)


@dataclass(frozen=True)
class Dataset:
    """A simulated data set.

    Attributes
    ----------
    folder : Path
    subjects : tuple of Subject
        Those that are finished.
    unfinished : tuple of str
        Names of those that are not.
    label_names : dict
        Label to name.
    options : mapping
        What it was made with.
    """

    folder: Path
    subjects: tuple[Subject, ...]
    unfinished: tuple[str, ...]
    label_names: Mapping[int, str]
    options: Mapping[str, Any]

    def part(self, name: str) -> tuple[Subject, ...]:
        """Return the finished subjects of "train", "validation" or "test".

        Raises
        ------
        ValueError
            If there is no such part.
        """
        if name not in PARTS:
            raise ValueError(f"the parts are {', '.join(PARTS)}, not {name!r}")
        return tuple(subject for subject in self.subjects if subject.part == name)

    def check(self, progress: Callable[[int, int], Any] | None = None) -> list[str]:
        """Return what is wrong with the files, one line a subject at most; every byte is read.

        `progress` is called with (subjects done, subjects in all).
        """
        problems = []
        for done, subject in enumerate(self.subjects, 1):
            problems += [problem] if (problem := subject.check()) else []
            if progress is not None:
                progress(done, len(self.subjects))
        return problems


def read_dataset(folder: str | Path) -> Dataset:
    """Open a data set that `write_dataset` made; only its manifest is read.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Dataset

    Raises
    ------
    FormatError
        If the manifest is damaged, or names files outside the data set's folder.
    FileNotFoundError
        If there is no manifest.

    Examples
    --------
    >>> import tempfile
    >>> from usfast.simulate import LinearProbe
    >>> from usfast.simulate.dataset import write_dataset
    >>> folder, probe = tempfile.mkdtemp(), LinearProbe(width=16, depth=16, shape=(32, 40))
    >>> _ = write_dataset(folder, subjects=1, passes=1, frames=2, probe=probe, label_spacing=8.0)
    >>> sweep = read_dataset(folder).part("train")[0].sweeps[0]
    >>> sweep.read().frames.shape, sweep.annotations().meta["frame_index"], sweep.truth().labels.shape
    ((2, 32, 40), [0], (1, 32, 40))
    """
    place = Path(folder)
    manifest = read_manifest(place)
    path = place / MANIFEST
    finished = [entry for entry in manifest["subjects"] if "files" in entry]
    return Dataset(
        place,
        tuple(_subject(path, place, entry) for entry in finished),
        tuple(entry["id"] for entry in manifest["subjects"] if "files" not in entry),
        _names(path, manifest["label_names"]),
        manifest["options"],
    )


def _subject(path: Path, folder: Path, entry: Mapping[str, Any]) -> Subject:
    own = inside(folder, entry["id"])
    if entry.get("part") not in PARTS or not isinstance(entry.get("sweeps"), list):
        raise FormatError(f"{path}: {entry['id']} has no part or no sweeps")
    sweeps = tuple(_sweep(path, own, known) for known in entry["sweeps"])
    return Subject(entry["id"], entry["part"], own, sweeps, entry)


def _sweep(path: Path, folder: Path, known: Any) -> DatasetSweep:
    if not isinstance(known, dict) or not isinstance(known.get("files"), dict):
        raise FormatError(f"{path}: a sweep of {folder.name} lists no files")
    frames, annotated = known.get("frames"), known.get("annotated")
    if not (type(frames) is int and type(annotated) is int and 0 <= annotated <= frames):
        raise FormatError(f"{path}: a sweep of {folder.name} has no sound numbers of frames")
    files = {form: inside(folder, name) for form, name in known["files"].items() if form in FORMATS}
    if not files:
        raise FormatError(f"{path}: a sweep of {folder.name} is in none of the formats {', '.join(FORMATS)}")
    return DatasetSweep(
        files, inside(folder, known.get("annotations")), inside(folder, known.get("truth")), frames, annotated
    )


def _names(path: Path, known: Mapping[str, Any]) -> dict[int, str]:
    try:
        return {int(label): str(name) for label, name in known.items()}
    except ValueError:
        raise FormatError(f"{path}: a label is a whole number; label_names holds {list(known)[:5]}") from None
