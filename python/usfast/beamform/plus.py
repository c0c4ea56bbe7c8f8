"""RF processing as PLUS does it: brightness from I and Q lines, and what its configuration says."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import choice
from usfast.beamform.arguments import positive, whole
from usfast.beamform.scan import CurvilinearScan, LinearScan
from usfast.errors import FormatError
from usfast.io.config import parse_xml

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

__all__ = ["RfProcessing", "plus_brightness", "read_scan_conversion"]

ENCODINGS = ("RF_I_LINE_Q_LINE", "RF_IQ_LINE")


@dataclass(frozen=True)
class RfProcessing:
    """The ``RfProcessing`` element of a PLUS configuration.

    Attributes
    ----------
    scan : LinearScan or CurvilinearScan
    coefficients : int
        ``NumberOfHilbertFilterCoeffs``.
    scale : float
        ``BrightnessScale``.
    """

    scan: LinearScan | CurvilinearScan
    coefficients: int = 64
    scale: float = 10.0


def plus_brightness(
    rf: ArrayLike, encoding: str = "RF_I_LINE_Q_LINE", *, coefficients: int = 64, scale: float = 10.0
) -> NDArray[np.uint8]:
    """Return brightness as PLUS makes it: the fourth root of the amplitude times a scale.

    Parameters
    ----------
    rf : (..., 2 L, S) or (..., L, 2 S) integer array
        Lines of I and of Q in turn (``RF_I_LINE_Q_LINE``), or I and Q in turn along each line (``RF_IQ_LINE``),
        the samples running away from the transducer (``FM``; a file that says ``NM`` stores them the other way).
    encoding : {"RF_I_LINE_Q_LINE", "RF_IQ_LINE"}
    coefficients : int
        Even. ``coefficients / 2 + 1`` samples at the beginning and ``coefficients / 2 - 1`` at the end of I and Q lines
        are black, though no filter runs over them.
    scale : float

    Returns
    -------
    (..., L, S) uint8 array
        ``scale * (I^2 + Q^2)^(1/8)``, cut off at 255, without rounding.

    Raises
    ------
    ValueError, TypeError
        If the shape does not suit the encoding, or a number is out of range.

    Notes
    -----
    ``vtkPlusRfToBrightnessConvert``. Real RF (``RF_REAL``) is not taken: use `envelope` and `log_compress`.

    Examples
    --------
    >>> plus_brightness(np.array([[81, 16, 0, 0]], np.int16), "RF_IQ_LINE").tolist()
    [[30, 0]]
    """
    array = np.asarray(rf)
    if array.dtype.kind not in "iu":
        raise TypeError(f"rf must be integers, as PLUS records them, not {array.dtype}")
    lines_alternate = choice("encoding", encoding, ENCODINGS) == "RF_I_LINE_Q_LINE"
    axis = -2 if lines_alternate else -1
    if array.ndim < 2 or array.size == 0 or array.shape[axis] % 2:
        raise ValueError(f"{encoding} needs an even number along axis {axis}, not the shape {array.shape}")
    scale = positive("scale", scale)
    half = whole("coefficients", coefficients, 2, 100_000) // 2
    if lines_alternate:
        i, q = array[..., 0::2, :].astype(np.float64), array[..., 1::2, :].astype(np.float64)
    else:
        i, q = array[..., 0::2].astype(np.float64), array[..., 1::2].astype(np.float64)
    grey = np.minimum(np.sqrt(np.sqrt(np.sqrt(i * i + q * q))) * scale, 255).astype(np.uint8)
    if lines_alternate:
        count = grey.shape[-1]
        grey[..., : half + 1] = 0
        grey[..., max(count - half + 1, 0) :] = 0
    return grey


def read_scan_conversion(path: str | Path) -> RfProcessing:
    """Read the first ``ScanConversion`` of a PLUS configuration, and the ``RfToBrightnessConversion`` beside it.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    FormatError
        If the file is not XML, or the element or an attribute is missing or makes no sense; names file and attribute.
    FileNotFoundError

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "config.xml"
    >>> _ = file.write_text('''<PlusConfiguration><RfProcessing><ScanConversion TransducerGeometry="LINEAR"
    ... ImagingDepthMm="55" TransducerWidthMm="38" OutputImageSizePixel="260 400" TransducerCenterPixel="120 12"
    ... OutputImageSpacingMmPerPixel="0.2 0.2"/></RfProcessing></PlusConfiguration>''')
    >>> read_scan_conversion(file).scan
    LinearScan(shape=(400, 260), spacing=(0.2, 0.2), origin_px=(120.0, 12.0), width=38.0, depth=55.0)
    """
    path = Path(path)
    processing = next((e for e in parse_xml(path).iter() if e.find("ScanConversion") is not None), None)
    if processing is None:
        raise FormatError(f"{path}: there is no ScanConversion")
    element = processing.find("ScanConversion")
    assert element is not None
    try:
        scan = _scan(path, element)
    except FormatError:
        raise
    except ValueError as error:
        raise FormatError(f"{path}: ScanConversion: {error}") from error
    brightness = processing.find("RfToBrightnessConversion")
    if brightness is None:
        return RfProcessing(scan)
    coefficients = _numbers(path, brightness, "NumberOfHilbertFilterCoeffs", 1, "64")[0]
    return RfProcessing(scan, int(coefficients), _numbers(path, brightness, "BrightnessScale", 1, "10")[0])


def _scan(path: Path, element: Element) -> LinearScan | CurvilinearScan:
    def pair(name: str) -> tuple[float, float]:
        first, second = _numbers(path, element, name, 2)
        return first, second

    def one(name: str) -> float:
        return _numbers(path, element, name, 1)[0]

    width, height = pair("OutputImageSizePixel")
    shape = (int(height), int(width))
    spacing, origin = pair("OutputImageSpacingMmPerPixel"), pair("TransducerCenterPixel")
    geometry = element.get("TransducerGeometry", "").upper()
    if geometry == "LINEAR":
        return LinearScan(shape, spacing, origin, one("TransducerWidthMm"), one("ImagingDepthMm"))
    if geometry == "CURVILINEAR":
        angles = one("ThetaStartDeg"), one("ThetaStopDeg")
        return CurvilinearScan(shape, spacing, origin, one("RadiusStartMm"), one("RadiusStopMm"), *angles)
    raise FormatError(f"{path}: ScanConversion TransducerGeometry={geometry!r} is neither LINEAR nor CURVILINEAR")


def _numbers(path: Path, element: Element, name: str, count: int, default: str | None = None) -> list[float]:
    text = element.get(name, default)
    if text is None:
        raise FormatError(f"{path}: {element.tag} has no {name}")
    try:
        found = [float(part) for part in text.split()]
    except ValueError:
        found = []
    if len(found) != count or not all(map(math.isfinite, found)):
        raise FormatError(f"{path}: {element.tag} {name}={text!r} is not {count} number{'s' * (count > 1)}")
    return found
