"""PLUS configuration files: the calibration transforms and how a volume is to be reconstructed."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from usfast.errors import FormatError, UsfastError
from usfast.geometry import split_name

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["HoleFillingElement", "PlusConfig", "Reconstruction", "read_config"]

_MAX_BYTES = 64 << 20
_HOLE_FILLERS = ("STICK", "GAUSSIAN", "GAUSSIAN_ACCUMULATION", "DISTANCE_WEIGHT_INVERSE", "NEAREST_NEIGHBOR")
_MODES = ("LATEST", "MEAN", "MAXIMUM", "IMPORTANCE_MASK")
_T = TypeVar("_T")


@dataclass(frozen=True)
class HoleFillingElement:
    """One way to fill holes; PLUS tries them in order.

    Attributes
    ----------
    type : str
        STICK, GAUSSIAN, GAUSSIAN_ACCUMULATION, DISTANCE_WEIGHT_INVERSE or NEAREST_NEIGHBOR.
    size : int or None
        Edge of the cube looked at, voxels. None for STICK.
    stdev : float or None
        Of the Gaussian, voxels. None for the others.
    minimum_known_voxels_ratio : float
        Share of the cube that must exceed this; 0 for STICK.
    stick_length_limit, number_of_sticks_to_use : int or None
        For STICK.
    """

    type: str
    size: int | None = None
    stdev: float | None = None
    minimum_known_voxels_ratio: float = 0.0
    stick_length_limit: int | None = None
    number_of_sticks_to_use: int | None = None


@dataclass(frozen=True)
class Reconstruction:
    """The ``VolumeReconstruction`` element. None stands for what the file does not say.

    Attributes
    ----------
    image_frame, reference_frame : str or None
        Frames between which the poses lead.
    output_spacing : (float, float, float) or None
        Voxel spacing along x, y, z, mm.
    clip_origin, clip_size : (int, int) or None
        Rectangle of the image that counts: first column and row, extent in columns and rows, pixels.
    fan_angles_deg : (float, float) or None
        Edges of the fan, degrees from the image's +y.
    fan_origin_px : (float, float) or None
        Apex (column, row), pixels.
    fan_radius_start_px, fan_radius_stop_px : float or None
        Radii of the fan, pixels.
    fan_angles_auto_detect : bool
    fan_auto_detect_threshold : float
        Grey level from which a pixel counts as tissue.
    fan_auto_detect_filter_radius_px : int
        Half the length of the window that moves along an arc.
    skip_interval : int
        Use every n-th frame.
    interpolation : str
        NEAREST_NEIGHBOR or LINEAR.
    optimization : str
        FULL, PARTIAL, NONE or OPENCL.
    compounding : str
        LATEST, MEAN, MAXIMUM or IMPORTANCE_MASK; MEAN where the file says nothing, as in IGSIO.
    fill_holes : bool
    hole_filling : tuple of HoleFillingElement
    importance_mask : Path or None
        Relative names are taken from the folder of the configuration.
    pixel_rejection_threshold : float or None
        Pixels darker than this are left out.
    recompute_output_spacing : bool
    """

    image_frame: str | None = None
    reference_frame: str | None = None
    output_spacing: tuple[float, float, float] | None = None
    clip_origin: tuple[int, int] | None = None
    clip_size: tuple[int, int] | None = None
    fan_angles_deg: tuple[float, float] | None = None
    fan_origin_px: tuple[float, float] | None = None
    fan_radius_start_px: float | None = None
    fan_radius_stop_px: float | None = None
    fan_angles_auto_detect: bool = False
    fan_auto_detect_threshold: float = 30.0
    fan_auto_detect_filter_radius_px: int = 10
    skip_interval: int = 1
    interpolation: str = "NEAREST_NEIGHBOR"
    optimization: str = "FULL"
    compounding: str = "MEAN"
    fill_holes: bool = False
    hole_filling: tuple[HoleFillingElement, ...] = ()
    importance_mask: Path | None = None
    pixel_rejection_threshold: float | None = None
    recompute_output_spacing: bool = False


@dataclass(frozen=True, eq=False)
class PlusConfig:
    """What a PLUS configuration file says about geometry and reconstruction.

    Attributes
    ----------
    path : Path
    transforms : mapping of (str, str) to (4, 4) array
        ``transforms["Image", "Probe"]`` takes image pixels to probe mm.
    reconstruction : Reconstruction or None
        None where the file has no such element.
    """

    path: Path
    transforms: Mapping[tuple[str, str], NDArray[np.float64]]
    reconstruction: Reconstruction | None = None


def read_config(path: str | Path) -> PlusConfig:
    """Read a PLUS configuration (XML).

    ``CoordinateDefinitions`` and ``VolumeReconstruction`` are found at any depth; of several
    ``VolumeReconstruction`` the first counts. Without ``CoordinateDefinitions`` those of
    ``CalibrationResults`` are taken. Document types, and so entities, are refused.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    FormatError
        If the file is not XML, or an attribute makes no sense; names file, element and attribute.
    FileNotFoundError

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "config.xml"
    >>> _ = file.write_text('''<PlusConfiguration><CoordinateDefinitions>
    ... <Transform From="Image" To="Probe" Matrix="0.1 0 0 5  0 0.1 0 0  0 0 0.1 0  0 0 0 1"/>
    ... </CoordinateDefinitions></PlusConfiguration>''')
    >>> read_config(file).transforms["Image", "Probe"][0].tolist()
    [0.1, 0.0, 0.0, 5.0]
    """
    path = Path(path)
    root = parse_xml(path)
    transforms: dict[tuple[str, str], NDArray[np.float64]] = {}
    # The result of a calibration run holds the transform under another name.
    tag = "CoordinateDefinitions" if root.find(".//CoordinateDefinitions") is not None else "CalibrationResults"
    for definitions in root.iter(tag):
        for element in definitions.iter("Transform"):
            source, target = _frames(path, element)
            transforms[source, target] = _matrix(path, element, f"{source}To{target}")
    found = next(root.iter("VolumeReconstruction"), None)
    return PlusConfig(path, transforms, None if found is None else _reconstruction(path, found))


def parse_xml(path: Path) -> Element:
    """Return the root of a small XML file that may be hostile: no document types, no entities, bounded size."""
    from xml.etree.ElementTree import ParseError

    import defusedxml.ElementTree
    from defusedxml.common import DefusedXmlException

    if path.stat().st_size > _MAX_BYTES:
        raise FormatError(f"{path}: a configuration of {path.stat().st_size} bytes is not plausible")
    try:
        root: Element = defusedxml.ElementTree.fromstring(path.read_bytes(), forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise FormatError(f"{path}: not a usable XML file: {error}") from error
    return root


def _frames(path: Path, element: Element) -> tuple[str, str]:
    source, target = element.get("From", ""), element.get("To", "")
    try:
        return split_name(f"{source[:1].upper()}{source[1:]}To{target[:1].upper()}{target[1:]}")
    except UsfastError as error:
        raise FormatError(f"{path}: Transform From={source!r} To={target!r}: {error}") from error


def _matrix(path: Path, element: Element, name: str) -> NDArray[np.float64]:
    text = element.get("Matrix")
    if text is None:
        raise FormatError(f"{path}: transform {name} lacks Matrix")
    numbers = _numbers(path, f"the Matrix of {name}", text, 16, float)
    matrix = np.array(numbers).reshape(4, 4)
    if (matrix[3] != (0, 0, 0, 1)).any():
        raise FormatError(f"{path}: the Matrix of {name} must end in 0 0 0 1, not {matrix[3].tolist()}")
    return matrix


def _numbers(path: Path, what: str, text: str, count: int, kind: Callable[[str], _T]) -> tuple[_T, ...]:
    words = text.split()
    try:
        numbers = tuple(kind(word) for word in words)
    except ValueError:
        raise FormatError(f"{path}: {what} holds something that is no number: {text.strip()[:80]!r}") from None
    if len(numbers) != count:
        raise FormatError(f"{path}: {what} must hold {count} numbers, not {len(numbers)}")
    if not all(math.isfinite(number) for number in numbers):  # type: ignore[arg-type]
        raise FormatError(f"{path}: {what} holds numbers that are not finite: {text.strip()[:80]!r}")
    return numbers


class _Attributes:
    """The attributes of one element, each checked as it is taken."""

    def __init__(self, path: Path, element: Element) -> None:
        self._path = path
        self._element = element

    def text(self, *names: str) -> str | None:
        """Return the first of these that is there; deprecated names come last."""
        return next((value for name in names if (value := self._element.get(name)) is not None), None)

    def numbers(self, kind: Callable[[str], _T], count: int, *names: str) -> tuple[_T, ...] | None:
        text = self.text(*names)
        what = f"{self._element.tag} {names[0]}"
        return None if text is None else _numbers(self._path, what, text, count, kind)

    def number(self, kind: Callable[[str], _T], *names: str) -> _T | None:
        found = self.numbers(kind, 1, *names)
        return None if found is None else found[0]

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        text = self.text(name)
        word = default if text is None else text.strip().upper()
        if word not in choices:
            raise FormatError(
                f"{self._path}: {self._element.tag} {name} must be one of {', '.join(choices)}, not {text!r}"
            )
        return word

    def flag(self, name: str, default: bool = False) -> bool:
        word = self.choice(name, ("ON", "OFF", "TRUE", "FALSE"), "ON" if default else "OFF")
        return word in ("ON", "TRUE")


def _reconstruction(path: Path, element: Element) -> Reconstruction:
    take = _Attributes(path, element)
    spacing = take.numbers(float, 3, "OutputSpacing")
    if spacing is not None and min(spacing) <= 0:
        raise FormatError(f"{path}: OutputSpacing must be positive, not {spacing}")
    mask = take.text("ImportanceMaskFilename")
    return Reconstruction(
        image_frame=take.text("ImageCoordinateFrame"),
        reference_frame=take.text("ReferenceCoordinateFrame"),
        output_spacing=spacing,  # type: ignore[arg-type]  # as long as asked for
        clip_origin=take.numbers(int, 2, "ClipRectangleOrigin"),  # type: ignore[arg-type]
        clip_size=take.numbers(int, 2, "ClipRectangleSize"),  # type: ignore[arg-type]
        fan_angles_deg=take.numbers(float, 2, "FanAnglesDeg", "FanAngles"),  # type: ignore[arg-type]
        fan_origin_px=take.numbers(float, 2, "FanOriginPixel", "FanOrigin"),  # type: ignore[arg-type]
        fan_radius_start_px=take.number(float, "FanRadiusStartPixel"),
        fan_radius_stop_px=take.number(float, "FanRadiusStopPixel", "FanDepth"),
        fan_angles_auto_detect=take.flag("EnableFanAnglesAutoDetect"),
        fan_auto_detect_threshold=_or(take.number(float, "FanAnglesAutoDetectBrightnessThreshold"), 30.0),
        fan_auto_detect_filter_radius_px=max(1, _or(take.number(int, "FanAnglesAutoDetectFilterRadiusPixel"), 10)),
        skip_interval=max(1, take.number(int, "SkipInterval") or 1),
        interpolation=take.choice("Interpolation", ("NEAREST_NEIGHBOR", "LINEAR"), "NEAREST_NEIGHBOR"),
        optimization=take.choice("Optimization", ("FULL", "PARTIAL", "NONE", "OPENCL"), "FULL"),
        compounding=_compounding(take),
        fill_holes=take.flag("FillHoles"),
        hole_filling=tuple(_hole_filling(path, hole) for hole in element.iter("HoleFillingElement")),
        importance_mask=path.parent / mask if mask else None,
        pixel_rejection_threshold=take.number(float, "PixelRejectionThreshold"),
        recompute_output_spacing=take.flag("RecomputeOutputSpacing"),
    )


def _or(value: _T | None, default: _T) -> _T:
    return default if value is None else value


def _compounding(take: _Attributes) -> str:
    """Return the mode, from the deprecated attributes where ``CompoundingMode`` is missing."""
    if take.text("CompoundingMode") is not None:
        return take.choice("CompoundingMode", _MODES, "MEAN")
    if take.choice("Calculation", ("WEIGHTED_AVERAGE", "MAXIMUM"), "WEIGHTED_AVERAGE") == "MAXIMUM":
        return "MAXIMUM"
    return "MEAN" if take.flag("Compounding", default=True) else "LATEST"


def _hole_filling(path: Path, element: Element) -> HoleFillingElement:
    take = _Attributes(path, element)
    kind = take.choice("Type", _HOLE_FILLERS, "")

    def needed(value: _T | None, name: str) -> _T:
        if value is None:
            raise FormatError(f"{path}: HoleFillingElement {kind} lacks {name}")
        return value

    if kind == "STICK":
        limit = needed(take.number(int, "StickLengthLimit"), "StickLengthLimit")
        sticks = needed(take.number(int, "NumberOfSticksToUse"), "NumberOfSticksToUse")
        return HoleFillingElement(kind, stick_length_limit=limit, number_of_sticks_to_use=sticks)
    return HoleFillingElement(
        kind,
        size=needed(take.number(int, "Size"), "Size"),
        stdev=needed(take.number(float, "Stdev"), "Stdev") if kind.startswith("GAUSSIAN") else None,
        minimum_known_voxels_ratio=needed(take.number(float, "MinimumKnownVoxelsRatio"), "MinimumKnownVoxelsRatio"),
    )
