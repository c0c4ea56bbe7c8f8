"""Contours: filled like the reference, refused where they cross; their JSON and Stradwin's text."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reference.transfer import inside_polygons

from usfast import FormatError
from usfast.labels.files.annotation_json import read_contours, write_contours
from usfast.labels.files.contours import Contour, ContourSet, contours_to_mask
from usfast.labels.files.stradwin import read_stradwin_contours

SQUARE = [[1, 1], [5, 1], [5, 5], [1, 5]]
BOW = [[1, 1], [6, 6], [6, 1], [1, 6]]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), whole=st.booleans())
def test_filled_like_the_reference(seed, whole):
    rng = np.random.default_rng(seed)
    lines = [rng.uniform(-3, 13, (rng.integers(3, 9), 2)) for _ in range(rng.integers(1, 4))]
    if whole:
        lines = [np.rint(line) for line in lines]
    lines = [line for line in lines if len(np.unique(line, axis=0)) > 2]
    contours = [Contour(line, 1) for line in lines]
    mask = contours_to_mask(contours, (10, 11), crossing="even-odd", outside="clip")
    np.testing.assert_array_equal(mask == 1, inside_polygons([c.points for c in contours], (10, 11)))


def test_simple_polygons_are_not_refused():
    angle = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    circle = np.stack([20 + 15 * np.cos(angle), 20 + 15 * np.sin(angle)], axis=1)
    mask = contours_to_mask([Contour(circle, 3)], (40, 40))
    assert abs((mask == 3).sum() / (np.pi * 225) - 1) < 0.02
    hole = contours_to_mask([Contour(circle, 3), Contour(SQUARE + np.full((4, 2), 17), 3)], (40, 40))
    assert (mask == 3).sum() - (hole == 3).sum() == 16


def test_crossings():
    with pytest.raises(ValueError, match=r"label 2 crosses itself or another near \(3\.5, 3\.5\)"):
        contours_to_mask([Contour(BOW, 2)], (8, 8))
    assert (contours_to_mask([Contour(BOW, 2)], (8, 8), crossing="even-odd") == 2).any()
    shifted = np.add(SQUARE, 2)
    with pytest.raises(ValueError, match="crosses"):
        contours_to_mask([Contour(SQUARE, 1), Contour(shifted, 1)], (9, 9))


def test_structures_that_overlap():
    pair = [Contour(SQUARE, 1), Contour(np.add(SQUARE, 2), 2)]
    with pytest.raises(ValueError, match="labels 1 and 2 overlap in 4 pixels"):
        contours_to_mask(pair, (9, 9))
    assert contours_to_mask(pair, (9, 9), overlap="first")[3, 3] == 1
    assert contours_to_mask(pair, (9, 9), overlap="last")[3, 3] == 2


def test_outside_the_image():
    contour = Contour(np.add(SQUARE, 4), 1)
    with pytest.raises(ValueError, match="leaves the image"):
        contours_to_mask([contour], (8, 8))
    assert (contours_to_mask([contour], (8, 8), outside="clip") == 1).sum() == 9


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([[0, 0], [1, 1]], 1), "three different points"),
        (([[0, 0], [1, 1], [0, 0]], 1), "three different points"),
        (([], 1), "shape"),
        (([[0, 0, 0]], 1), "shape"),
        (([[0, 0], [1, np.nan], [2, 0]], 1), "finite"),
        ((SQUARE, 0), "label"),
        ((SQUARE, 1.5), "label"),
        ((SQUARE, 1, -1), "frame"),
    ],
)
def test_bad_contours(arguments, match):
    with pytest.raises(ValueError, match=match):
        Contour(*arguments)


def test_a_sweep_of_contours():
    drawn = ContourSet((Contour(SQUARE, 2, 1), Contour(np.add(SQUARE, 5), 3, 1)), 4, (12, 13), annotated=frozenset({3}))
    labels, annotated = drawn.masks()
    assert labels.shape == (4, 12, 13)
    assert annotated.tolist() == [False, True, False, True]
    assert np.unique(labels[1]).tolist() == [0, 2, 3]
    with pytest.raises(ValueError, match="frame 4 is annotated"):
        ContourSet((Contour(SQUARE, 1, 4),), 4, (8, 8))
    with pytest.raises(ValueError, match="frame 1: the contour of label 2 crosses"):
        ContourSet((Contour(BOW, 2, 1),), 2, (8, 8)).masks()


def test_more_than_memory_holds():
    with pytest.raises(MemoryError, match="GiB"):
        ContourSet((), 2**30, (2**30, 2**30)).masks()
    with pytest.raises(ValueError, match="up to 20000"):
        contours_to_mask([Contour(np.random.default_rng(0).uniform(0, 7, (20_001, 2)), 1)], (8, 8))


def test_json_round_trip(tmp_path):
    drawn = ContourSet((Contour(SQUARE, 2, 1),), 4, (12, 13), {2: "soleus µ"}, frozenset({3}))
    write_contours(drawn, tmp_path / "annotations.json")
    read = read_contours(tmp_path / "annotations.json")
    assert (read.frames, read.shape, read.names, read.annotated) == (4, (12, 13), {2: "soleus µ"}, {1, 3})
    np.testing.assert_array_equal(read.contours[0].points, SQUARE)
    with pytest.raises(TypeError, match="ContourSet"):
        write_contours([], tmp_path / "b.json")


GOOD = {
    "format": "usfast annotations", "version": 1, "frames": 4, "rows": 8, "columns": 9,
    "contours": [{"frame": 1, "label": 1, "points": SQUARE}],
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"format": "coco"}, "there is no"),
        ({"version": 2}, "version 2"),
        ({"frames": 0}, "frames must be"),
        ({"rows": 1.5}, "rows must be"),
        ({"columns": True}, "columns must be"),
        ({"names": []}, "names must be an object"),
        ({"names": {"x": "y"}}, "names must give"),
        ({"contours": None}, "lists"),
        ({"contours": [1]}, "contour 0 must be an object"),
        ({"contours": [{"frame": 1, "label": 1, "points": "abc"}]}, "contour 0"),
        ({"contours": [{"frame": 1, "label": 1, "points": [[1, 2], [3]]}]}, "contour 0"),
        ({"contours": [{"frame": 1, "label": 1, "points": [[1, 2], [3, None], [1, 1]]}]}, "contour 0"),
        ({"contours": [{"frame": 9, "label": 1, "points": SQUARE}]}, "frame 9 is annotated"),
        ({"annotated": [-1]}, "annotated"),
    ],
)
def test_bad_json(tmp_path, change, match):
    path = tmp_path / "a.json"
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(FormatError, match=match):
        read_contours(path)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": NaN}', "[]", "\x00", '{"format": 1e999}'])
def test_no_json(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(FormatError, match=r"a\.json"):
        read_contours(tmp_path / "a.json")


SW = ["RES_BUF_FRAMES 9", "RES_BUF_WIDTH 30", "RES_BUF_HEIGHT 20", "IM 0 1 2 3 4 5 6"]


def test_stradwin_lines(tmp_path):
    path = tmp_path / "leg.sw"
    lines = [
        *SW,
        "OBJECT 4 1 178 89 0 1 0.3 0 Soleus",
        "CONT 4 0 1 1 1 5 1 5 5 1 5",
        "CONT 7 8 1 1 1 5 1 5 5",
        "CONT 4 1 0 1 1",
    ]
    path.write_text("\r\n".join(lines))
    read = read_stradwin_contours(path, first_frame=0, origin=(-0.5, -0.5))
    assert read.names == {1: "Soleus", 2: "object 7"}
    assert [(c.label, c.frame) for c in read.contours] == [(1, 0), (2, 8)]
    np.testing.assert_array_equal(read.contours[0].points, np.subtract(SQUARE, 0.5))
    assert (read.frames, read.shape) == (9, (20, 30))
    with pytest.raises(FormatError, match="line 6: frame 0"):
        read_stradwin_contours(path, first_frame=1)
    with pytest.raises(ValueError, match="0 or 1"):
        read_stradwin_contours(path, first_frame=2)


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("CONT 1 0", "line 5: CONT must go on"),
        ("CONT 1 0 1 1 2 3", "pairs"),
        ("CONT 1 0 1 1 2 3 4", "line 5: a contour needs three"),
        ("CONT 1 0 1 a b", "pairs"),
        ("CONT 1 0 1 nan 1 2 2 3 1", "pairs"),
        ("CONT -1 0 1 1 1 2 2 3 1", "whole number"),
        ("CONT 1 9 1 1 1 2 2 3 1", "frame 9"),
        ("RES_BUF_FRAMES 0", "RES_BUF_FRAMES"),
        ("RES_BUF_WIDTH x", "whole number"),
    ],
)
def test_bad_stradwin_lines(tmp_path, line, match):
    (tmp_path / "a.sw").write_text("\n".join([*SW, line]))
    with pytest.raises(FormatError, match=match):
        read_stradwin_contours(tmp_path / "a.sw", first_frame=0)
