"""Volumes: values, geometry, damaged files."""

from pathlib import Path

import numpy as np
import pytest

from usfast import FormatError, GeometryError, Volume, io

SUFFIXES = [".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz"]
TURN = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def volume(dtype: str = "u1") -> Volume:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    return Volume(array, (0.5, 0.25, 2.0), (-74.5, 165.5, 29.0), TURN)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "i4", "f4", "f8", "?"])
def test_round_trip(tmp_path: Path, suffix: str, dtype: str) -> None:
    written = volume(dtype)
    for compress in (True, False):
        io.write_volume(written, tmp_path / f"v{suffix}", compress=compress)
        read = io.read_volume(tmp_path / f"v{suffix}")
        np.testing.assert_array_equal(read.array, written.array)
        assert read.array.dtype == (np.uint8 if dtype == "?" else np.dtype(dtype))
        np.testing.assert_allclose(read.grid.voxel_to_world, written.grid.voxel_to_world, atol=1e-6)


def test_nan_survives(tmp_path: Path) -> None:
    array = np.full((2, 2, 2), np.nan, np.float32)
    for name in ("v.mha", "v.nrrd"):
        io.write_volume(Volume(array, 1.0), tmp_path / name)
        assert np.isnan(io.read_volume(tmp_path / name).array).all()
    with pytest.raises(FormatError, match="not finite"):
        io.write_volume(Volume(array, 1.0), tmp_path / "v.nii.gz")


def test_published_plus_volumes(data_dir: Path) -> None:
    for path in sorted((data_dir / "tracked/igsio_recon_refs").glob("*.mha")):
        read = io.read_volume(path)
        np.testing.assert_array_equal(read.spacing, 0.5)
    assert read.array.shape == (105, 106, 147)
    np.testing.assert_allclose(read.origin, [-74.5217, 165.573, 29.072])
    assert io.read_volume(data_dir / "tracked/plus_spine/SpinePhantomFreehandReconstructed.mha").array.ndim == 3


def test_voxels_and_geometry_equal_those_of_simpleitk(data_dir: Path) -> None:
    import SimpleITK as sitk

    for path in sorted((data_dir / "tracked/igsio_recon_refs").glob("*.mha")):
        image, read = sitk.ReadImage(str(path)), io.read_volume(path)
        np.testing.assert_array_equal(read.array, sitk.GetArrayFromImage(image))
        assert read.array.dtype == sitk.GetArrayFromImage(image).dtype
        assert (read.spacing.tolist(), read.origin.tolist()) == (list(image.GetSpacing()), list(image.GetOrigin()))


def test_a_fourth_axis_of_one_is_dropped(tmp_path: Path) -> None:
    text = b"ObjectType = Image\nNDims = 4\nDimSize = 4 3 2 1\nKinds = domain domain domain list\n"
    text += b"ElementSpacing = 0.5 0.5 2 1\nOffset = 1 2 3 0\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    (tmp_path / "v.mha").write_bytes(text + bytes(range(24)))
    read = io.read_volume(tmp_path / "v.mha")
    np.testing.assert_array_equal(read.array, np.arange(24).reshape(2, 3, 4))
    assert read.spacing.tolist() == [0.5, 0.5, 2] and read.origin.tolist() == [1, 2, 3]


def header(*, data: str = "LOCAL", **changes: str) -> bytes:
    keys = {
        "ObjectType": "Image", "NDims": "3", "BinaryData": "True", "CompressedData": "False",
        "DimSize": "4 3 2", "ElementSpacing": "1 1 1", "Offset": "0 0 0", "ElementType": "MET_UCHAR",
    }  # fmt: skip
    lines = [f"{key} = {value}" for key, value in {**keys, **changes, "ElementDataFile": data}.items()]
    return ("\n".join(lines) + "\n").encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        header() + bytes(23),
        header(DimSize="1099511627776 1099511627776 2") + bytes(24),
        header(DimSize="65536 65536 65536", CompressedData="True") + bytes(24),
        header(DimSize="-4 3 2") + bytes(24),
        header(DimSize="nan 3 2") + bytes(24),
        header(DimSize="4 3 0") + bytes(24),
        header(NDims="2", DimSize="4 6") + bytes(24),
        header(NDims="4", DimSize="2 3 2 2") + bytes(24),
        header(ElementNumberOfChannels="3") + bytes(72),
        header(data="/etc/passwd"),
        header(data="../x.raw"),
        header(CompressedData="True") + b"not compressed",
    ],
)
def test_hostile_files(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v.mha").write_bytes(content)
    with pytest.raises(FormatError, match=r"v\.mha"):
        io.read_volume(tmp_path / "v.mha")


@pytest.mark.parametrize("spacing", ["0 1 1", "nan 1 1"])
def test_unusable_geometry(tmp_path: Path, spacing: str) -> None:
    (tmp_path / "v.mha").write_bytes(header(ElementSpacing=spacing) + bytes(24))
    with pytest.raises((GeometryError, FormatError), match=r"v\.mha"):
        io.read_volume(tmp_path / "v.mha")


def test_hostile_nifti(tmp_path: Path) -> None:
    path = tmp_path / "v.nii"
    io.write_volume(volume("u1"), path)
    content = bytearray(path.read_bytes())
    path.write_bytes(content[:-5])
    with pytest.raises(FormatError, match=r"v\.nii"):
        io.read_volume(path)
    content[42:48] = b"\xff\x7f" * 3  # dim[1..3] = 32767
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"v\.nii.*bytes"):
        io.read_volume(path)


@pytest.mark.parametrize("damage", [slice(60, 64), slice(-8, -6), slice(-30, None)])
def test_damaged_gzip(tmp_path: Path, damage: slice) -> None:
    path = tmp_path / "v.nii.gz"
    noise = np.random.default_rng(0).integers(0, 256, (4, 5, 6)).astype(np.uint8)
    io.write_volume(Volume(noise, 1.0), path)
    content = bytearray(path.read_bytes())
    content[damage] = b"" if damage.stop is None else bytes(byte ^ 255 for byte in content[damage])
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"v\.nii\.gz"):
        io.read_volume(path)


def test_what_no_format_holds(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="float16"):
        io.write_volume(volume("f2"), tmp_path / "v.mha")
    with pytest.raises(FormatError, match="a volume is one of"):
        io.write_volume(volume(), tmp_path / "v.png")
    with pytest.raises(FileNotFoundError, match=r"nothing\.mha"):
        io.read_volume(tmp_path / "nothing.mha")
    assert not list(tmp_path.iterdir())
