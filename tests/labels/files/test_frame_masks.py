"""PNG masks of frames: every kind of grey and palette, and files that are none of them."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from usfast import FormatError
from usfast.labels.files.frame_masks import read_frame_masks, write_frame_masks


def save(path, array, mode=None):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), most=st.sampled_from([1, 255, 65535]), first=st.integers(0, 2))
def test_round_trip(seed, most, first, tmp_path_factory):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, most + 1, (3, *rng.integers(1, 9, 2))).astype(np.uint16)
    folder = tmp_path_factory.mktemp("masks") / "m"
    write_frame_masks(labels, folder, annotated=[True, False, True], first=first)
    read, annotated = read_frame_masks(folder, 3, labels.shape[1:], first=first)
    assert annotated.tolist() == [True, False, True]
    np.testing.assert_array_equal(read[[0, 2]], labels[[0, 2]])
    assert not read[1].any()


def test_kinds_of_png(tmp_path):
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    save(tmp_path / "frame_0000.png", array)
    save(tmp_path / "f1-2.png", array.astype(np.uint16) * 1000)
    save(tmp_path / "3.PNG", array > 5)
    (tmp_path / "notes.txt").write_text("no image")
    read, annotated = read_frame_masks(tmp_path, 5, (3, 4))
    assert annotated.tolist() == [True, False, True, True, False]
    np.testing.assert_array_equal(read[0], array)
    np.testing.assert_array_equal(read[2], array.astype(int) * 1000)
    np.testing.assert_array_equal(read[3], array > 5)


def test_palette_colours_are_for_the_eye(tmp_path):
    labels = np.array([[[0, 1], [2, 255]]], np.uint8)
    write_frame_masks(labels, tmp_path / "m")
    with Image.open(tmp_path / "m" / "frame_0000.png") as image:
        assert image.mode == "P"
        assert len(set(image.convert("RGB").getdata() if not hasattr(image, "get_flattened_data") else
                       image.convert("RGB").get_flattened_data())) == 4  # fmt: skip


def huge(path, width=60_000, height=60_000):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    )


def test_hostile_files(tmp_path):
    file = tmp_path / "frame_0001.png"

    def refused(match, frames=2, **more):
        with pytest.raises(FormatError, match=match):
            read_frame_masks(tmp_path, frames, (3, 4), **more)

    refused("no PNG file")
    array = np.ones((3, 4), np.uint8)
    save(file, array, "RGB")
    refused("colours are no labels")
    save(file, array, "LA")
    refused("colours are no labels")
    save(file, np.ones((4, 3), np.uint8))
    refused("3 x 4 pixels")
    save(file, array)
    refused("number 0001, but the frames are 0 to 0", frames=1)
    refused("the frames are 5 to 6", first=5)
    whole = file.read_bytes()
    for cut in (0, 20, len(whole) - 25):
        file.write_bytes(whole[:cut])
        refused("Pillow cannot read it")
    huge(file)
    refused("60000 x 60000 pixels|bomb")
    file.write_bytes(b"GIF89a\x04\x00\x03\x00\x00\x00\x00;")
    refused("Pillow cannot read it")
    save(file, array)
    save(tmp_path / "other_1.png", array)
    refused("the same number")
    (tmp_path / "other_1.png").unlink()
    refused("labels of shape .* needs", frames=10**12)


def test_bad_arguments(tmp_path):
    with pytest.raises(NotADirectoryError):
        read_frame_masks(tmp_path / "none", 1, (1, 1))
    with pytest.raises(ValueError, match="positive whole"):
        read_frame_masks(tmp_path, 0, (1, 1))
    with pytest.raises(ValueError, match=r"\(N, H, W\)"):
        write_frame_masks(np.ones((2, 2), int), tmp_path / "m")
    with pytest.raises(TypeError, match="integers"):
        write_frame_masks(np.ones((2, 2, 2)), tmp_path / "m")
    with pytest.raises(ValueError, match="0 to 65535"):
        write_frame_masks(np.full((1, 2, 2), 70000), tmp_path / "m")
    with pytest.raises(ValueError, match="annotated"):
        write_frame_masks(np.ones((1, 2, 2), int), tmp_path / "m", annotated=[True, False])
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "x").write_text("")
    with pytest.raises(FileExistsError):
        write_frame_masks(np.ones((1, 2, 2), int), tmp_path / "m")
