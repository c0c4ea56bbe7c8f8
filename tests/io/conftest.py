"""Sweeps to write and files to read for the tests of usfast.io."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from usfast import Sweep


def build_sweep(count: int = 5, height: int = 7, width: int = 6, dtype: str = "u1", seed: int = 0) -> Sweep:
    """A sweep of noise along z with turned poses, one frame of it not valid."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (count, height, width)).astype(dtype)
    turn = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = turn * (0.1, 0.2, 0.15)
    poses[:, :3, 3] = rng.normal(size=(count, 3)) * 50
    valid = np.ones(count, bool)
    valid[1:2] = False
    return Sweep(frames, poses, rng.normal(size=count).cumsum() + 1e6, valid, meta={"note": "µ test"})


@pytest.fixture
def make_sweep() -> Callable[..., Sweep]:
    return build_sweep


@pytest.fixture
def check_same() -> Callable[..., None]:
    """Assert that two sweeps are equal; poses of valid frames to `atol`."""

    def check(read: Sweep, written: Sweep, atol: float = 0.0) -> None:
        assert read.frames.dtype == written.frames.dtype
        np.testing.assert_array_equal(read.frames, written.frames)
        np.testing.assert_array_equal(read.valid, written.valid)
        ok = written.valid
        np.testing.assert_allclose(read.image_to_world[ok], written.image_to_world[ok], rtol=0, atol=atol)
        for name in ("timestamps", "mask", "labels"):
            one, other = getattr(read, name), getattr(written, name)
            assert (one is None) == (other is None), name
            if one is not None:
                np.testing.assert_array_equal(one, other)

    return check


HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = {compressed}
DimSize = {size}
Kinds = domain domain list
ElementType = {kind}
UltrasoundImageOrientation = {orientation}
UltrasoundImageType = BRIGHTNESS
{fields}ElementDataFile = LOCAL
"""


@pytest.fixture
def write_mha(tmp_path: Path) -> Callable[..., Path]:
    """Write a MetaImage sequence from its parts, so that a test can make any of them wrong."""

    def write(
        pixels: bytes = bytes(range(24)),
        *,
        size: str = "4 3 2",
        kind: str = "MET_UCHAR",
        orientation: str = "MFA",
        compressed: bool = False,
        frames: int = 2,
        fields: str | None = None,
        name: str = "test.igs.mha",
        newline: str = "\n",
    ) -> Path:
        if fields is None:
            fields = "".join(
                f"Seq_Frame{index:04d}_ImageToReferenceTransform = 0.1 0 0 0 0 0.1 0 0 0 0 0.1 {index} 0 0 0 1\n"
                f"Seq_Frame{index:04d}_ImageToReferenceTransformStatus = OK\n"
                f"Seq_Frame{index:04d}_Timestamp = {index}.5\n"
                for index in range(frames)
            )
        text = HEADER.format(compressed=compressed, size=size, kind=kind, orientation=orientation, fields=fields)
        path = tmp_path / name
        path.write_bytes(text.replace("\n", newline).encode() + pixels)
        return path

    return write
