"""TUS-REC scans and this package's own HDF5 files."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from usfast import FormatError, Sweep, io

MakeSweep = Callable[..., Sweep]
CheckSame = Callable[..., None]
SCALE = np.diag([0.2294, 0.2210, 1, 1])


def write_calibration(path: Path) -> np.ndarray:
    spatial = np.eye(4)
    spatial[:3, :3] = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    spatial[:3, 3] = (-70.7, -80.7, -48.2)
    np.savetxt(path, np.concatenate([SCALE, spatial]), delimiter=",", fmt="%.17g")
    return spatial


def write_scan(path: Path, count: int = 4) -> tuple[np.ndarray, np.ndarray]:
    import h5py

    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (count, 8, 9)).astype(np.uint8)
    tforms = np.tile(np.eye(4), (count, 1, 1))
    tforms[:, :3, :3] = np.linalg.qr(rng.normal(size=(count, 3, 3)))[0]
    tforms[:, :3, 3] = rng.normal(size=(count, 3))
    with h5py.File(path, "w") as file:
        file["frames"], file["tforms"] = frames, tforms.astype(np.float32)
    return frames, tforms.astype(np.float32).astype(np.float64)


def test_scan_with_its_calibration(tmp_path: Path) -> None:
    spatial = write_calibration(tmp_path / "calib_matrix.csv")
    frames, tforms = write_scan(tmp_path / "scan.h5")
    sweep = io.read_sweep(tmp_path / "scan.h5", tmp_path / "calib_matrix.csv")
    np.testing.assert_array_equal(sweep.frames, frames)
    np.testing.assert_allclose(sweep.image_to_world, tforms @ spatial @ SCALE, rtol=0, atol=1e-12)
    with pytest.raises(FormatError, match=r"calib_matrix\.csv as config="):
        io.read_sweep(tmp_path / "scan.h5")


def test_scan_round_trip_keeps_tforms(tmp_path: Path, check_same: CheckSame) -> None:
    import h5py

    write_calibration(tmp_path / "calib_matrix.csv")
    _, tforms = write_scan(tmp_path / "scan.h5")
    sweep = io.read_sweep(tmp_path / "scan.h5", tmp_path / "calib_matrix.csv")
    io.write_sweep(sweep, tmp_path / "copy.h5")
    check_same(io.read_sweep(tmp_path / "copy.h5"), sweep, atol=1e-10)
    with h5py.File(tmp_path / "copy.h5") as file:
        np.testing.assert_allclose(file["tforms"], tforms, rtol=0, atol=1e-10)


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_round_trip(tmp_path: Path, make_sweep: MakeSweep, check_same: CheckSame, compress: bool, dtype: str) -> None:
    plain = make_sweep(70, dtype=dtype)
    labels = np.arange(plain.frames.size, dtype=np.uint16).reshape(plain.frames.shape)
    full = dataclasses.replace(plain, labels=labels, mask=np.indices(plain.image_size).sum(0) > 3)
    for sweep in (plain, full):
        io.write_sweep(sweep, tmp_path / "a.h5", compress=compress)
        read = io.read_sweep(tmp_path / "a.h5")
        check_same(read, sweep)
        assert read.meta["note"] == sweep.meta["note"]
        check_same(Sweep.concatenate(list(io.iter_sweep(tmp_path / "a.h5", chunk=9))), sweep)


def test_long_meta_fits(tmp_path: Path, make_sweep: MakeSweep) -> None:
    sweep = dataclasses.replace(make_sweep(), meta={"text": "x" * 100_000})
    io.write_sweep(sweep, tmp_path / "a.h5")
    assert io.read_sweep(tmp_path / "a.h5").meta["text"] == "x" * 100_000


def test_non_finite_tforms_are_invalid(tmp_path: Path) -> None:
    import h5py

    write_calibration(tmp_path / "calib_matrix.csv")
    write_scan(tmp_path / "scan.h5")
    with h5py.File(tmp_path / "scan.h5", "r+") as file:
        file["tforms"][2, 0, 0] = np.nan
    sweep = io.read_sweep(tmp_path / "scan.h5", tmp_path / "calib_matrix.csv")
    assert sweep.valid.tolist() == [True, True, False, True]


def test_hostile_files(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "a.h5"
    secret = tmp_path / "secret.bin"
    secret.write_bytes(bytes(1000))

    def expect(match: str) -> None:
        with pytest.raises(FormatError, match=match):
            io.read_sweep(path)

    path.write_bytes(b"")
    expect("a.h5")
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    expect("a.h5")
    with h5py.File(path, "w") as file:
        file["other"] = 1
    expect("no dataset 'frames' in it; there are other")
    with h5py.File(path, "w") as file:
        file.create_dataset("frames", (1 << 40, 8, 8), "u1", chunks=(1, 8, 8))
    expect("holds no data")
    with h5py.File(path, "w") as file:
        data = file.create_dataset("frames", (1 << 40, 8, 8), "u1", chunks=(1, 8, 8))
        data[0] = 1
        file["tforms"] = np.zeros((3, 4, 4))
    expect("tforms has shape")
    with h5py.File(path, "w") as file:
        file.create_dataset("frames", (2, 8, 8), "u1", external=[(str(secret), 0, 1000)])
    expect("other files")
    with h5py.File(path, "w") as file:
        file["frames"] = h5py.ExternalLink(str(tmp_path / "x.h5"), "frames")
    expect("no dataset 'frames'")
    with h5py.File(path, "w") as file:
        file["frames"] = np.zeros((2, 8))
    expect("frames has shape")
    with h5py.File(path, "w") as file:
        file["frames"] = np.array([[["text"]]], dtype="S4")
    expect("frames has shape")


def test_incomplete_calibration_is_refused(tmp_path: Path, make_sweep: MakeSweep) -> None:
    sweep = dataclasses.replace(make_sweep(), meta={"calibration": {}})
    with pytest.raises(FormatError, match="must hold pixel_to_mm"):
        io.write_sweep(sweep, tmp_path / "a.h5")


def test_missing_calibration_is_named(tmp_path: Path) -> None:
    write_scan(tmp_path / "scan.h5")
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv"):
        io.read_sweep(tmp_path / "scan.h5", tmp_path / "nothing.csv")
