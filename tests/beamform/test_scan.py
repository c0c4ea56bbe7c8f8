"""Scan conversion: exact where it can be, refusals, configurations of PLUS."""

import numpy as np
import pytest

from usfast.beamform import CurvilinearScan, LinearScan, read_scan_conversion, scan_convert
from usfast.errors import FormatError

LINEAR = LinearScan((60, 80), (0.5, 0.5), (39.5, 4.0), width=30.0, depth=25.0)
FAN = CurvilinearScan((90, 120), (1.0, 1.0), (59.5, 2.0), 40.0, 110.0, -35.0, 35.0)


def grid(scan):
    x, y = scan.pixels()
    return np.broadcast_to(x, scan.shape), np.broadcast_to(y, scan.shape)


@pytest.mark.parametrize("scan", [LINEAR, FAN])
def test_a_field_that_is_linear_along_lines_and_across_is_reproduced(scan):
    lines, samples = 37, 211
    at = scan.points(lines, samples)
    x, y = grid(scan)
    if scan is LINEAR:
        field, expected = at[..., 0] + 2 * at[..., 1], x + 2 * y
        inside = (np.abs(x) <= 15) & (y >= 0) & (y <= 25)
    else:
        radius = np.hypot(at[..., 0], at[..., 1] + 40)
        field, expected = radius + 3 * np.arctan2(at[..., 0], at[..., 1] + 40), np.hypot(x, y + 40)
        angle = np.arctan2(x, y + 40)
        inside = (expected >= 40) & (expected <= 110) & (np.abs(angle) <= np.deg2rad(35))
        expected = expected + 3 * angle
    image = scan_convert(field, scan, fill=-99)
    assert image.dtype == np.float32
    np.testing.assert_allclose(image[inside], expected[inside], atol=1e-4)
    assert (image[~inside] == -99).all()
    nearest = scan_convert(field, scan, "nearest", fill=-99)
    np.testing.assert_array_equal(nearest == -99, image == -99)
    np.testing.assert_allclose(nearest[inside], expected[inside], atol=2)


def test_stacks_and_grey_levels():
    rng = np.random.default_rng(0)
    lines = rng.integers(0, 256, (2, 3, 20, 50), dtype=np.uint8)
    image = scan_convert(lines, FAN, fill=7)
    assert image.shape == (2, 3, *FAN.shape)
    assert image.dtype == np.uint8
    single = scan_convert(lines[1, 2].astype(np.float64), FAN, fill=7)
    np.testing.assert_array_equal(image[1, 2], np.floor(single + 0.5))
    assert (scan_convert(np.full((9, 9), 255, np.uint8), FAN) != 0).sum() == (single != 7).sum()


def test_pixels_and_probe():
    pixel = np.array([39.5 + 10, 4 + 6, 0, 1])
    np.testing.assert_allclose(LINEAR.image_to_probe @ pixel, [5, 3, 0, 1])
    assert LINEAR.points(1, 2)[0].tolist() == [[0, 0], [0, 25]]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: scan_convert(np.zeros((1, 5)), LINEAR), ValueError, "two or more of each"),
        (lambda: scan_convert(np.zeros(5), LINEAR), ValueError, "two or more of each"),
        (lambda: scan_convert(np.zeros((0, 5, 5)), LINEAR), ValueError, "two or more of each"),
        (lambda: scan_convert(np.zeros((5, 5), complex), LINEAR), TypeError, "must be real"),
        (lambda: scan_convert(np.zeros((5, 5)), "LINEAR"), TypeError, "not str"),
        (lambda: scan_convert(np.zeros((5, 5)), LINEAR, "cubic"), ValueError, "linear, nearest"),
        (lambda: scan_convert(np.zeros((5, 5)), LINEAR, compat="vtk"), ValueError, "plus"),
        (lambda: scan_convert(np.zeros((5, 5)), LINEAR, "linear", compat="plus"), ValueError, "leave it out"),
        (lambda: scan_convert(np.zeros((5, 5), np.uint8), LINEAR, fill=300), ValueError, "fill must be from 0 to 255"),
        (lambda: LinearScan((0, 5), (1, 1), (0, 0)), ValueError, "shape must be a whole number"),
        (lambda: LinearScan((5,), (1, 1), (0, 0)), ValueError, "shape must be two numbers"),
        (lambda: LinearScan((5, 5), (1, -1), (0, 0)), ValueError, "spacing must be positive"),
        (lambda: LinearScan((5, 5), (1, 1), (0, float("nan"))), ValueError, "origin_px"),
        (lambda: LinearScan((5, 5), (1, 1), (0, 0), width=0), ValueError, "width must be positive"),
        (lambda: CurvilinearScan((5, 5), (1, 1), (0, 0), 60, 50), ValueError, "radius_stop must exceed"),
        (lambda: CurvilinearScan((5, 5), (1, 1), (0, 0), 60, 90, 10, -10), ValueError, "theta_start_deg up to"),
        (lambda: LINEAR.points(0, 5), ValueError, "lines must be"),
        (lambda: FAN.points(1, 5), ValueError, "lines must be"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


XML = (
    '<PlusConfiguration><RfProcessing><RfToBrightnessConversion BrightnessScale="20.0"/><ScanConversion '
    'TransducerGeometry="CURVILINEAR" RadiusStartMm="10" RadiusStopMm="82" ThetaStartDeg="-75" ThetaStopDeg="75" '
    'OutputImageSizePixel="820 616" TransducerCenterPixel="410 87" OutputImageSpacingMmPerPixel="0.15 0.15"/>'
    "</RfProcessing></PlusConfiguration>"
)


def test_configuration(tmp_path):
    path = tmp_path / "config.xml"
    path.write_text(XML)
    found = read_scan_conversion(path)
    assert found.scan == CurvilinearScan((616, 820), (0.15, 0.15), (410, 87), 10, 82, -75, 75)
    assert (found.coefficients, found.scale) == (64, 20)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<ScanConversion", "<Other", "not a usable XML file|there is no ScanConversion"),
        ("CURVILINEAR", "PHASED", "'PHASED' is neither LINEAR nor CURVILINEAR"),
        ('RadiusStopMm="82"', "", "ScanConversion has no RadiusStopMm"),
        ('RadiusStopMm="82"', 'RadiusStopMm="8"', "radius_stop must exceed"),
        ('"820 616"', '"820"', "is not 2 numbers"),
        ('"820 616"', '"1e300 616"', "shape must be"),
        ('"410 87"', '"nan 87"', "is not 2 numbers"),
        ("</PlusConfiguration>", "", "not a usable XML file"),
    ],
)
def test_bad_configuration(tmp_path, old, new, message):
    path = tmp_path / "config.xml"
    path.write_text(XML.replace(old, new))
    with pytest.raises(FormatError, match=message):
        read_scan_conversion(path)
