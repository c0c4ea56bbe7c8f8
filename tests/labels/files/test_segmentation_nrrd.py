"""Segmentations of 3D Slicer: what is written is read, layers become labels, hostile headers are refused."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from usfast import FormatError, GeometryError, Volume
from usfast.labels.files.segmentation_nrrd import read_seg_nrrd, write_seg_nrrd
from usfast.labels.files.segments import Segment, Segmentation
from usfast.phantom.trajectories import rigid_motion

TURN = rigid_motion([0, 0, 0], [10.0, 20.0, 30.0])[:3, :3]
TERM = "Segmentation category and type~SCT^85756007^Tissue~SCT^71616004^Muscle~^^~~^^~^^"


def leg():
    array = np.zeros((4, 5, 6), np.uint8)
    array[1, 2:4, 1:3], array[2, 1:3, 2:5] = 3, 9
    volume = Volume(array, (0.5, 0.7, 1.2), (1.0, -2.0, 3.5), TURN)
    segments = [
        Segment(9, "soleus\nleft \\ µ", (0.25, 0.5, 1.0), {"TerminologyEntry": TERM}),
        Segment(3, "tibia", (1.0, 0.0, 0.0)),
        Segment(7, "not there", (0.0, 0.0, 0.0)),
    ]
    return Segmentation(volume, segments)


HEADER = """NRRD0004
type: unsigned char
dimension: {dimension}
space: {space}
sizes: {sizes}
space directions: {directions}
kinds: {kinds}
encoding: {encoding}
space origin: {origin}
{fields}
"""


@pytest.fixture
def write(tmp_path):
    """Write a .seg.nrrd from its parts, so that a test can make any of them wrong."""

    def make(array, *, fields="", text=None, packed=True, cut=None, **change):
        layered = array.ndim == 4
        values = {
            "dimension": array.ndim,
            "space": "left-posterior-superior",
            "sizes": " ".join(str(n) for n in (array.shape[3:] + array.shape[2::-1])),
            "directions": ("none " if layered else "") + "(1,0,0) (0,1,0) (0,0,1)",
            "kinds": ("list " if layered else "") + "domain domain domain",
            "encoding": "gzip" if packed else "raw",
            "origin": "(0,0,0)",
            "fields": fields and fields + "\n",
        } | change
        data = array.tobytes()
        path = tmp_path / "test.seg.nrrd"
        body = (gzip.compress(data) if packed else data)[:cut]
        path.write_bytes((text or HEADER.format(**values)).encode() + b"\n" * (text is not None) + body)
        return path

    return make


def named(number, value, layer=0, name=None):
    prefix = f"Segment{number}"
    return f"{prefix}_Name:={name or number}\n{prefix}_LabelValue:={value}\n{prefix}_Layer:={layer}"


def test_round_trip(tmp_path):
    path = tmp_path / "leg.seg.nrrd"
    write_seg_nrrd(leg(), path)
    read = read_seg_nrrd(path)
    assert read.segments == leg().segments
    np.testing.assert_array_equal(read.labels.array, leg().labels.array)
    for name in ("spacing", "origin", "direction"):
        np.testing.assert_allclose(getattr(read.labels, name), getattr(leg().labels, name), rtol=1e-12)
    first = path.read_bytes()
    write_seg_nrrd(leg(), path)
    assert path.read_bytes() == first
    assert [file.name for file in tmp_path.iterdir()] == ["leg.seg.nrrd"]


def test_itk_reads_the_same(tmp_path):
    path = tmp_path / "leg.seg.nrrd"
    write_seg_nrrd(leg(), path)
    image = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), leg().labels.array)
    np.testing.assert_allclose(image.GetOrigin(), leg().labels.origin)
    np.testing.assert_allclose(image.GetSpacing(), leg().labels.spacing)
    np.testing.assert_allclose(image.GetDirection(), TURN.ravel(), atol=1e-12)
    assert image.GetMetaData("Segment0_Extent") == "2 4 1 2 2 2"
    assert image.GetMetaData("Segment2_Extent") == "0 -1 0 -1 0 -1"
    assert image.GetMetaData("Segment1_Name") == "tibia"


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), most=st.sampled_from([1, 200, 60000]))
def test_any_labels(seed, most, tmp_path_factory):
    rng = np.random.default_rng(seed)
    array = rng.integers(0, most + 1, rng.integers(2, 6, 3)).astype(np.uint16)
    path = tmp_path_factory.mktemp("any") / "x.seg.nrrd"
    write_seg_nrrd(Segmentation.of(Volume(array, 1.0)), path)
    np.testing.assert_array_equal(read_seg_nrrd(path).labels.array, array)


def test_right_anterior_superior(write):
    array = np.zeros((2, 3, 4), np.uint8)
    array[1, 2, 3] = 1
    path = write(array, space="right-anterior-superior", origin="(1,2,3)", fields=named(0, 1), packed=False)
    read = read_seg_nrrd(path)
    assert read.labels.origin.tolist() == [-1.0, -2.0, 3.0]
    assert np.diag(read.labels.direction).tolist() == [-1.0, -1.0, 1.0]


def test_layers_that_do_not_overlap_share_a_volume(write):
    array = np.zeros((2, 3, 4, 2), np.uint8)
    array[0, 0, :2, 0], array[1, 1, 1:, 1] = 1, 1  # both layers use label 1
    read = read_seg_nrrd(write(array, fields=named(0, 1, 0, "a") + "\n" + named(1, 1, 1, "b")))
    assert read.names == {1: "a", 2: "b"}
    assert (read.labels.array == np.where(array[..., 0], 1, np.where(array[..., 1], 2, 0))).all()


@pytest.mark.parametrize(("overlap", "both"), [("first", 1), ("last", 2)])
def test_layers_that_overlap(write, overlap, both):
    array = np.zeros((1, 2, 3, 2), np.uint8)
    array[0, 0, :2, 0], array[0, 0, 1:, 1] = 1, 2
    path = write(array, fields=named(0, 1, 0, "soleus") + "\n" + named(1, 2, 1, "tibia"))
    with pytest.raises(FormatError, match="'tibia' and 'soleus' overlap in 1 voxels"):
        read_seg_nrrd(path)
    assert read_seg_nrrd(path, overlap=overlap).labels.array[0, 0].tolist() == [1, both, 2]


def test_values_that_no_segment_names_are_kept(write):
    array = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)
    read = read_seg_nrrd(write(array, fields=named(0, 3, name="soleus")))
    np.testing.assert_array_equal(read.labels.array, array)
    assert read.names[3] == "soleus"
    assert read.names[7] == "label 7"


ARRAY = np.ones((2, 3, 4), np.uint8)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"sizes": "4 3"}, "three axes"),
        ({"sizes": "4 3 0"}, "three axes"),
        ({"sizes": "-4 3 2"}, "whole numbers"),
        ({"sizes": "1 1 1"}, "single voxel"),
        ({"sizes": "100000 100000 100000"}, "can hold"),
        ({"sizes": "40 3 2"}, "end after"),
        ({"space": "nowhere"}, "space 'nowhere'"),
        ({"directions": "(1,0,0) (0,1,0)"}, "three vectors"),
        ({"directions": "(1,0,0) (0,1,0) (0,0,0)"}, "span no volume"),
        ({"directions": "(1,0,0) (0,1,0) (0,0,nan)"}, "span no volume"),
        ({"directions": "(1,0,0) (0,1,0) (0,x,1)"}, "vectors"),
        ({"origin": ""}, "space origin"),
        ({"encoding": "bzip2"}, "encoding 'bzip2'"),
        ({"fields": "data file: ../../secret"}, "data file"),
        ({"fields": "byte skip: 4"}, "byte skip"),
        ({"fields": named(0, 1, 5)}, "1 layers"),
        ({"fields": named(0, 0)}, "from 1 to"),
        ({"fields": named(0, "9999999999999")}, "whole number"),
        ({"fields": "no colon"}, "key: value"),
        ({"cut": 10}, "end after|damaged"),
    ],
)
def test_hostile_files(write, change, match):
    with pytest.raises(FormatError, match=match):
        read_seg_nrrd(write(ARRAY, **change))


def test_more_hostile_files(tmp_path, write):
    with pytest.raises(GeometryError, match="orthonormal"):
        read_seg_nrrd(write(ARRAY, directions="(1,0,0) (1,1,0) (0,0,1)"))
    path = tmp_path / "a.seg.nrrd"
    for content, match in (
        (b"", "not an NRRD"),
        (b"NRRD0004\ntype: uchar\n", "no end"),
        (b"\x89PNG\r\n", "not an NRRD"),
    ):
        path.write_bytes(content)
        with pytest.raises(FormatError, match=match):
            read_seg_nrrd(path)
    with pytest.raises(FileNotFoundError):
        read_seg_nrrd(tmp_path / "none.seg.nrrd")
    for kind in ("float", "block", "unsigned", ""):
        with pytest.raises(FormatError, match="integers of 8, 16 or 32"):
            read_seg_nrrd(write(ARRAY, text=HEADER.replace("unsigned char", kind).format(
                dimension=3, space="lps", sizes="4 3 2", directions="(1,0,0) (0,1,0) (0,0,1)", kinds="", encoding="raw",
                origin="(0,0,0)", fields="")))  # fmt: skip


@pytest.mark.parametrize("kind", ["uchar", "unsigned char", "uint8", "uint8_t", "signed char", "int8"])
def test_names_of_types(write, kind):
    text = HEADER.replace("unsigned char", kind)
    values = {"dimension": 3, "space": "LPS", "sizes": "4 3 2", "directions": "(1,0,0) (0,1,0) (0,0,1)"}
    text = text.format(**values, kinds="", encoding="raw", origin="(0,0,0)", fields="")
    path = write(ARRAY, text=text, packed=False)
    path.write_bytes(text.encode() + ARRAY.tobytes())
    assert read_seg_nrrd(path).labels.array.sum() == 24


def test_what_is_not_written(tmp_path):
    with pytest.raises(FormatError, match=r"\.seg\.nrrd"):
        write_seg_nrrd(leg(), tmp_path / "leg.nrrd")
    with pytest.raises(TypeError, match="Segmentation"):
        write_seg_nrrd(leg().labels, tmp_path / "leg.seg.nrrd")
    with pytest.raises(FormatError, match="65535"):
        write_seg_nrrd(Segmentation.of(Volume([[[0, 70000]]], 1.0)), tmp_path / "leg.seg.nrrd")


def test_segments_are_checked():
    volume = Volume(np.uint8([[[0, 1]]]), 1.0)
    with pytest.raises(ValueError, match="label of its own"):
        Segmentation(volume, [Segment(1, "a", (0, 0, 0)), Segment(1, "b", (0, 0, 0))])
    with pytest.raises(ValueError, match="no segment has them"):
        Segmentation(volume, [])
    with pytest.raises(ValueError, match="whole number from 1"):
        Segment(0, "a", (0, 0, 0))
    with pytest.raises(ValueError, match="colour"):
        Segment(1, "a", (0, 0, 2))
