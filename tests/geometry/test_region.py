"""Pixel masks, and the sector found from a real liver sweep."""

import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usfast.errors import GeometryError
from usfast.geometry import fan_mask, rectangle_mask, sector_mask


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def test_rectangle_is_closed_like_plus():
    mask = rectangle_mask((620, 820), (192, 16), (420, 580))  # the SpinePhantom configuration
    assert mask.any(axis=0).sum() == 421 and mask.any(axis=1).sum() == 581
    assert np.argwhere(mask)[0].tolist() == [16, 192]
    assert rectangle_mask((4, 5), (-10, -10), (100, 100)).all()
    assert np.argwhere(rectangle_mask((9, 9), (1.2, 2.5), (1.0, 0.5))).tolist() == [[3, 2]]


@settings(max_examples=100, deadline=None)
@given(
    st.floats(-5, 25),
    st.floats(-25, 25),
    st.floats(-89, 88),
    st.floats(0.5, 60),
    st.floats(0, 20),
    st.floats(3, 30),
)
def test_fan_against_the_definition(u0, v0, first, opening, inner, depth):
    last, outer = min(first + opening, 89.0), inner + depth
    expected = np.zeros((20, 24), bool)
    near_edge = np.zeros_like(expected)
    low, high = np.tan(np.radians([first, last]))
    for v in range(20):
        for u in range(24):
            x, y = u - u0, v - v0
            expected[v, u] = y >= 0 and low * y <= x <= high * y and inner**2 <= x * x + y * y <= outer**2
            radius = np.hypot(x, y)
            angle = np.degrees(np.arctan2(x, y))
            near_edge[v, u] = (
                min(abs(radius - inner), abs(radius - outer), abs(angle - first), abs(angle - last)) < 1e-6
            )
    try:
        mask = fan_mask((20, 24), (u0, v0), (first, last), (inner, outer))
    except GeometryError:
        mask = np.zeros_like(expected)
    assert ((mask == expected) | near_edge).all()


def test_fan_sides_and_backwards():
    mask = fan_mask((11, 11), (5, 5), (0, 90), (0, 5))
    assert mask[5, 10] and mask[10, 5] and not mask[5, 0] and not mask[0, 5]  # +u is positive
    assert fan_mask((11, 11), (5, 5), (-180, 180), (0, 100)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rectangle_mask((4, 4), (0, 0), (0, 3)), "size_uv must be positive"),
        (lambda: rectangle_mask((4, 4), (0, 0, 0), (1, 3)), "origin_uv must be two finite numbers"),
        (lambda: rectangle_mask((4, 4.5), (0, 0), (1, 3)), "shape_hw must be two positive integers"),
        (lambda: rectangle_mask((4, 4), (9, 0), (1, 3)), "no pixel centre of the 4 x 4 image"),
        (lambda: fan_mask((4, 4), (0, 0), (30, -30), (1, 3)), "angles_deg must increase"),
        (lambda: fan_mask((4, 4), (0, 0), (-200, 30), (1, 3)), r"within \[-180, 180\]"),
        (lambda: fan_mask((4, 4), (0, 0), (-30, 30), (3, 3)), "radius must be two increasing"),
        (lambda: fan_mask((4, 4), (0, np.nan), (-30, 30), (1, 3)), "origin_uv"),
        (lambda: fan_mask((4, 4), (0, -90), (-30, 30), (1, 3)), "the fan at .* holds no pixel"),
        (lambda: sector_mask(np.zeros((4, 4))), "ever above the threshold 0"),
        (lambda: sector_mask(np.zeros(4)), r"\(N, H, W\) or \(H, W\), not \(4,\)"),
    ],
)
def test_masks_refuse(call, message):
    with pytest.raises(ValueError, match=message):  # GeometryError is one too
        call()


def test_sector_is_found_in_speckle_with_shadow_and_screen_text():
    rng = np.random.default_rng(0)
    fan = fan_mask((300, 400), (200, -60), (-35, 35), (75, 340))
    frames = (rng.random((12, 300, 400)) < 0.5) * rng.integers(1, 255, (12, 300, 400)) * fan
    frames[:, 120:200, 180:220] = 0  # a shadow in every frame
    frames[:, 0, :] = frames[:, :, 0] = 200  # a line along the edge of the screen
    frames[:, 10:20, 10:40] = 200  # a logo
    mask = sector_mask(frames.astype(np.uint8))
    assert iou(mask, fan) > 0.99
    assert mask[160, 200]


def test_nan_is_not_tissue():
    frames = np.full((2, 9, 9), np.nan, np.float32)
    frames[0, 2:7, 2:7] = 1
    assert sector_mask(frames).sum() == 25
    assert np.array_equal(sector_mask(frames[0]), sector_mask(frames))


def read_liver(data_dir: Path) -> np.ndarray:
    """Return the (80, 593, 739) frames of the sweep without the help of `usfast.io`."""
    file = data_dir / "tracked" / "imfusion_liver" / "liver_sweep_f000-079.igs.mha"
    if not file.exists():
        pytest.skip(f"{file} is not here")
    header, _, data = file.read_bytes().partition(b"ElementDataFile = LOCAL\n")
    assert b"DimSize = 739 593 80" in header
    return np.frombuffer(zlib.decompress(data), np.uint8).reshape(80, 593, 739)


def test_sector_of_the_liver_sweep(data_dir):
    """Sector_geometry.json: `offset` is where the axis meets the probe, `openingAngle` half the opening.

    The arcs' centre lies shortRadius above the offset. The frames show 733 pixels of radius rather than the
    file's longRadius of 724.35.
    """
    frames = read_liver(data_dir)
    centre, half = (369.0, 22.0114504753762 - 161.340690862054), 30.28
    fan = fan_mask((593, 739), centre, (-half, half), (161.340690862054, 733.0))
    assert iou(sector_mask(frames), fan) > 0.97  # JPEG has smeared the edges
    assert iou(sector_mask(frames, threshold=3), fan) > 0.99
    recorded = fan_mask((593, 739), centre, (-half, half), (161.340690862054, 724.351975144605))
    assert iou(sector_mask(frames, threshold=3), recorded) > 0.97
