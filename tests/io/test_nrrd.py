"""NRRD headers: layouts that other programs write, and hostile ones."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from usfast import FormatError, io

PIXELS = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
HEADER = """NRRD0005
# a comment
type: {kind}
dimension: 3
sizes: {sizes}
kinds: {kinds}
endian: little
encoding: {encoding}
{more}Seq_Frame0000_ImageToReferenceTransform:=0.1 0 0 0 0 0.1 0 0 0 0 0.1 0 0 0 0 1
Seq_Frame0000_ImageToReferenceTransformStatus:=OK
Seq_Frame0000_Status:=OK
Seq_Frame0001_ImageToReferenceTransform:=0.1 0 0 0 0 0.1 0 0 0 0 0.1 1 0 0 0 1
Seq_Frame0001_ImageToReferenceTransformStatus:=OK
Seq_Frame0001_Status:=INVALID

"""


def write(
    tmp_path: Path,
    data: bytes = PIXELS.tobytes(),
    *,
    kind: str = "uchar",
    sizes: str = "4 3 2",
    kinds: str = "domain domain list",
    encoding: str = "raw",
    more: str = "ultrasound image orientation:=MFA\n",
    name: str = "a.nrrd",
) -> Path:
    path = tmp_path / name
    text = HEADER.format(kind=kind, sizes=sizes, kinds=kinds, encoding=encoding, more=more)
    path.write_bytes(text.encode() + data)
    return path


@pytest.mark.parametrize("encoding", ["raw", "gzip", "gz", "joined"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    data = PIXELS.tobytes()
    if encoding == "joined":
        data, encoding = gzip.compress(data[:7]) + gzip.compress(data[7:]), "gzip"
    elif encoding != "raw":
        data = gzip.compress(data)
    sweep = io.read_sweep(write(tmp_path, data, encoding=encoding))
    np.testing.assert_array_equal(sweep.frames, PIXELS)
    assert sweep.valid.tolist() == [True, False]
    assert sweep.image_to_world[1, 2, 3] == 1


def test_orientation_and_time_axis(tmp_path: Path) -> None:
    path = write(tmp_path, kinds="space space time", more="ultrasound image orientation:=UN\n")
    np.testing.assert_array_equal(io.read_sweep(path).frames, PIXELS[:, ::-1, ::-1])


def test_colours(tmp_path: Path) -> None:
    path = write(tmp_path, np.repeat(PIXELS.ravel(), 3).tobytes(), sizes="3 4 3 2", kinds="vector domain domain list")
    path.write_bytes(path.read_bytes().replace(b"dimension: 3", b"dimension: 4"))
    np.testing.assert_array_equal(io.read_sweep(path).frames, PIXELS)


def test_detached_data(tmp_path: Path) -> None:
    (tmp_path / "pixels.raw").write_bytes(b"skip" + PIXELS.tobytes())
    path = write(tmp_path, b"", more="data file: pixels.raw\nbyte skip: 4\n", name="a.nhdr")
    np.testing.assert_array_equal(io.read_sweep(path).frames, PIXELS)


@pytest.mark.parametrize(
    "change",
    [
        {"sizes": "4 3 1099511627776"},
        {"sizes": "-4 3 2"},
        {"sizes": "4 3"},
        {"sizes": "4 3 3"},
        {"kind": "block"},
        {"kinds": "domain list domain"},
        {"kinds": "domain list"},
        {"encoding": "bzip2"},
        {"encoding": "gzip"},
        {"more": "data file: /etc/passwd\n"},
        {"more": "data file: ../../x.raw\n"},
        {"more": "data file: LIST\n"},
        {"more": "line skip: 1\n"},
        {"more": "byte skip: -1\n"},
        {"more": "nonsense\n"},
        {"data": PIXELS.tobytes()[:-1]},
    ],
)
def test_hostile_headers(tmp_path: Path, change: dict[str, object]) -> None:
    with pytest.raises(FormatError, match=r"a\.nrrd"):
        io.read_sweep(write(tmp_path, **change))  # type: ignore[arg-type]
