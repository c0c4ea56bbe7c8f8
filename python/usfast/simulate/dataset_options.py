"""What a simulated data set is made of: every number that decides its bytes."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from usfast.phantom.trajectories import FRAME_RATE, HandMotion, TrackerModel

if TYPE_CHECKING:
    from usfast.simulate.probe import ConvexProbe, LinearProbe
    from usfast.simulate.settings import BModeSettings

__all__ = ["FORMATS", "PARTS", "PHANTOMS", "DatasetOptions", "SubjectPlan", "differences", "plain", "split_subjects"]

PHANTOMS = {"calf": "CalfPhantom", "thyroid": "ThyroidPhantom", "prostate": "ProstatePhantom"}
FORMATS = ("h5", "igs.mha")
PARTS = {"train": 29, "validation": 5, "test": 10}
"""Subjects in each part of the thesis' 44 (section 2.2.1); other numbers are split in the same proportion."""

_MOST = 100_000  # subjects; more is a slip of the finger


@dataclass(frozen=True)
class SubjectPlan:
    """A subject before it is made.

    Attributes
    ----------
    index : int
    name : str
        Of its folder.
    part : str
        "train", "validation" or "test".
    passes : int
    seeds : mapping
        Of phantom, path (line, speed and hand), tracker, speckle (scatterers and noise) and annotator.
    """

    index: int
    name: str
    part: str
    passes: int
    seeds: Mapping[str, int]


@dataclass(frozen=True)
class DatasetOptions:
    """Everything that decides the bytes of a data set; `write_dataset` describes the fields.

    Raises
    ------
    TypeError, ValueError
        If an option makes no sense.

    Examples
    --------
    >>> plans = DatasetOptions(subjects=44).plans()
    >>> plans[0].name, min(plan.passes for plan in plans), max(plan.passes for plan in plans)
    ('subject_000', 4, 6)
    """

    subjects: int = 44
    seed: int = 0
    phantom: str = "calf"
    passes: tuple[int, int] = (4, 6)
    frames: int = 300
    overlap: float = 0.3
    frame_rate: float = FRAME_RATE
    probe: LinearProbe | ConvexProbe | None = None
    settings: BModeSettings | None = None
    hand: HandMotion = field(default_factory=HandMotion)
    tracker: TrackerModel = field(default_factory=lambda: TrackerModel(noise_mm=0.1, noise_deg=0.05))
    annotate_every: int = 10
    annotation_mm: float = 0.0
    label_spacing: float = 0.5
    formats: tuple[str, ...] = FORMATS
    compress: bool = True

    def __post_init__(self) -> None:
        for name, least in (("subjects", 1), ("seed", 0), ("frames", 1), ("annotate_every", 1)):
            object.__setattr__(self, name, _whole(name, getattr(self, name), least))
        object.__setattr__(self, "passes", _range(self.passes))
        object.__setattr__(self, "formats", _formats(self.formats))
        if self.subjects > _MOST:
            raise ValueError(f"subjects must be at most {_MOST}, not {self.subjects}")
        if self.phantom not in PHANTOMS:
            raise ValueError(f"phantom must be one of {', '.join(PHANTOMS)}, not {self.phantom!r}")
        for name in ("frame_rate", "label_spacing"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be positive, not {getattr(self, name)!r}")
        if not 0 <= self.annotation_mm < np.inf:
            raise ValueError(f"annotation_mm must be a finite number, not negative, not {self.annotation_mm!r}")
        if not -1 < self.overlap < 1:
            raise ValueError(f"overlap must be a share of the image's width, below 1, not {self.overlap!r}")

    def the_probe(self) -> LinearProbe | ConvexProbe:
        """Return the probe given, or the default one."""
        from usfast.simulate import LinearProbe

        return LinearProbe() if self.probe is None else self.probe

    def the_settings(self) -> BModeSettings:
        """Return the settings given, or the default ones."""
        from usfast.simulate import BModeSettings

        return BModeSettings() if self.settings is None else self.settings

    def as_json(self) -> dict[str, Any]:
        """Return the options as JSON knows them, defaults of probe and settings spelled out."""
        known = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        probe = self.the_probe()
        known["probe"] = {"type": type(probe).__name__, **asdict(probe)}
        known["settings"] = asdict(self.the_settings())
        described: dict[str, Any] = plain(known)
        return described

    def plans(self) -> list[SubjectPlan]:
        """Return what is to be made; a subject's seeds depend on its number and `seed`, not on how many there are."""
        parts = split_subjects(self.subjects, self.seed)
        return [self._plan(index, parts[index]) for index in range(self.subjects)]

    def _plan(self, index: int, part: str) -> SubjectPlan:
        names = ("phantom", "path", "tracker", "speckle", "annotator")
        drawn = np.random.SeedSequence([self.seed, index]).generate_state(len(names) + 1)
        least, most = self.passes
        return SubjectPlan(
            index,
            f"subject_{index:03d}",
            part,
            least + int(drawn[-1]) % (most - least + 1),
            {name: int(number) for name, number in zip(names, drawn[:-1], strict=True)},
        )


def split_subjects(subjects: int, seed: int = 0) -> list[str]:
    """Return the part of each subject, drawn at random: 29 train, 5 validation and 10 test of 44.

    Other numbers are split in this proportion by largest remainders; with three subjects or more no part is
    empty.

    Examples
    --------
    >>> parts = split_subjects(44)
    >>> [parts.count(part) for part in PARTS]
    [29, 5, 10]
    >>> sorted(split_subjects(3))
    ['test', 'train', 'validation']
    """
    shares = np.array(list(PARTS.values())) * subjects / sum(PARTS.values())
    counts = np.floor(shares).astype(int)
    for part in np.argsort(counts - shares, kind="stable")[: subjects - counts.sum()]:
        counts[part] += 1
    if subjects >= len(PARTS):
        for part in np.flatnonzero(counts == 0):
            counts[np.argmax(counts)] -= 1
            counts[part] = 1
    parts = np.repeat(list(PARTS), counts)
    order = np.random.default_rng([seed, 44]).permutation(subjects)
    return [str(part) for part in parts[order]]


def differences(ours: Mapping[str, Any], theirs: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield in words where two descriptions differ: "seed is 1 here and 0 there"."""
    for name in dict.fromkeys((*ours, *theirs)):
        here, there = ours.get(name), theirs.get(name)
        if isinstance(here, Mapping) and isinstance(there, Mapping):
            yield from differences(here, there, f"{prefix}{name}.")
        elif here != there:
            yield f"{prefix}{name} is {_short(here)} now and {_short(there)} there"


def plain(value: Any) -> Any:
    """Return `value` as JSON gives it back: dataclasses as objects, arrays and tuples as lists, infinity as text."""
    return json.loads(json.dumps(value, default=_plain), parse_constant=str)


def _plain(value: object) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {entry.name: getattr(value, entry.name) for entry in fields(value)}
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON")


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _whole(name: str, value: Any, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, not {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {least}, not {number}")
    return number


def _range(passes: Any) -> tuple[int, int]:
    both = (passes, passes) if np.ndim(passes) == 0 else tuple(passes)
    if len(both) != 2:
        raise ValueError(f"passes must be a number or the least and the most (4, 6), not {passes!r}")
    least, most = (_whole("passes", value, 1) for value in both)
    if most < least:
        raise ValueError(f"passes must be the least and then the most, not {passes!r}")
    return least, most


def _formats(formats: Sequence[str]) -> tuple[str, ...]:
    chosen = (formats,) if isinstance(formats, str) else tuple(dict.fromkeys(formats))
    unknown = [name for name in chosen if name not in FORMATS]
    if unknown or not chosen:
        raise ValueError(f"formats must be some of {', '.join(FORMATS)}, not {list(chosen)!r}")
    return chosen
