"""`Segmentation`: a label volume and what its labels mean."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError
from usfast.labels.registration.transfer import as_label_volume
from usfast.volume import Volume

__all__ = ["OVERLAPS", "Segment", "Segmentation", "colour_of", "merged"]

OVERLAPS = ("refuse", "first", "last")
_COLOURS = (
    (0.89, 0.34, 0.18), (0.18, 0.65, 0.89), (0.42, 0.76, 0.29), (0.78, 0.49, 1.0),
    (0.95, 0.76, 0.31), (1.0, 0.56, 0.64), (0.15, 0.78, 0.66), (0.69, 0.54, 0.41),
)  # fmt: skip


@dataclass(frozen=True)
class Segment:
    """One structure of a segmentation.

    Attributes
    ----------
    label : int
        Its value in the label volume, 1 or more.
    name : str
    colour : (float, float, float)
        Red, green, blue, 0 to 1.
    tags : mapping of str to str
        What a file says of it beyond that, e.g. 3D Slicer's ``TerminologyEntry``.
    """

    label: int
    name: str
    colour: tuple[float, float, float]
    tags: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.label, (int, np.integer)) or self.label < 1:
            raise ValueError(f"a segment's label must be a whole number from 1, not {self.label!r}")
        colour = np.asarray(self.colour, np.float64)
        if colour.shape != (3,) or not ((colour >= 0) & (colour <= 1)).all():
            raise ValueError(f"the colour of {self.name!r} must be three numbers from 0 to 1, not {self.colour!r}")


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A label volume with the names and colours of its structures.

    Parameters
    ----------
    labels : Volume of unsigned integers
        0 is background; structures do not overlap.
    segments : sequence of Segment
        One for each label at least; they may name structures without a voxel.

    Raises
    ------
    ValueError, TypeError
        If two segments share a label or a label has no segment.

    Examples
    --------
    >>> labels = Volume(np.uint8([[[0, 1, 2]]]), spacing=1.0)
    >>> Segmentation.of(labels, {1: "soleus"}).names
    {1: 'soleus', 2: 'label 2'}
    """

    labels: Volume
    segments: tuple[Segment, ...]

    def __init__(self, labels: Volume, segments: Iterable[Segment]) -> None:
        volume = as_label_volume("labels", labels)
        chosen = tuple(segments)
        given = [segment.label for segment in chosen]
        if len(set(given)) != len(given):
            raise ValueError(f"each segment needs a label of its own, not {given}")
        unnamed = sorted(set(_present(volume.array)) - set(given))
        if unnamed:
            raise ValueError(f"labels {unnamed[:10]} occur in the volume, but no segment has them")
        object.__setattr__(self, "labels", volume)
        object.__setattr__(self, "segments", chosen)

    @classmethod
    def of(cls, labels: Volume, names: Mapping[int, str] | None = None) -> Segmentation:
        """Return a segmentation of all labels that occur or have a name, with colours of a palette."""
        volume = as_label_volume("labels", labels)
        known = dict(names or {})
        every = sorted(set(_present(volume.array)) | set(known))
        return cls(volume, [Segment(label, known.get(label, f"label {label}"), colour_of(label)) for label in every])

    @property
    def names(self) -> dict[int, str]:
        """Label -> name."""
        return {segment.label: segment.name for segment in self.segments}


def colour_of(label: int) -> tuple[float, float, float]:
    """Return the palette's colour of a label."""
    return _COLOURS[(label - 1) % len(_COLOURS)]


def merged(
    masks: Iterable[tuple[int, str, NDArray[np.bool_]]], out: NDArray[np.unsignedinteger], overlap: str, source: str
) -> None:
    """Write masks that may overlap into one label array, in place.

    Parameters
    ----------
    masks : iterable of (label, name, bool array)
        In the order of the file.
    out : unsigned integer array
        All 0.
    overlap : {"refuse", "first", "last"}
        Which of two structures keeps a voxel that both claim.
    source : str
        For the message.

    Raises
    ------
    FormatError
        With ``overlap="refuse"``, where two claim one voxel; names both.

    Examples
    --------
    >>> out = np.zeros(3, np.uint8)
    >>> left, right = np.array([1, 1, 0], bool), np.array([0, 1, 1], bool)
    >>> merged([(1, "a", left), (2, "b", right)], out, "first", "x.seg.nrrd")
    >>> out.tolist()
    [1, 1, 2]
    """
    names: dict[int, str] = {}
    for label, name, mask in masks:
        names[label] = name
        taken = mask & (out != 0)
        if overlap == "refuse" and taken.any():
            other = int(out[taken].flat[0])
            raise FormatError(
                f"{source}: {name!r} and {names[other]!r} overlap in {np.count_nonzero(taken)} voxels; a label "
                'volume holds one structure a voxel: choose overlap="first" or "last"'
            )
        out[mask & ~taken if overlap == "first" else mask] = label


def _present(array: NDArray[np.generic]) -> list[int]:
    """Return the labels that occur, background left out."""
    if array.dtype.itemsize <= 2:
        counts = np.bincount(array.ravel(), minlength=1) if array.dtype.kind == "u" else None
        if counts is not None:
            return [int(label) for label in np.flatnonzero(counts) if label]
    return [int(label) for label in np.unique(array) if label]
