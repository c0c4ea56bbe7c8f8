"""compound_to_file: the voxels of the call in memory, from every source and into every kind of file."""

import shutil
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference.sweeps import cases

from usfast import FormatError, GeometryError, Grid, Sweep, io
from usfast.compound import METHODS, compound, compound_arrays, compound_to_file
from usfast.compound.streaming import _cut, memory_bytes

few = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
RNG = np.random.default_rng(4)
FRAMES = RNG.integers(0, 256, (30, 40, 50)).astype(np.uint8)
POSES = np.tile(np.eye(4), (30, 1, 1))
POSES[:, :3, :3] += RNG.normal(0, 0.05, (30, 3, 3))
POSES[:, 2, 3] = np.linspace(0, 190, 30)
VALID = np.arange(30) % 7 != 3
GRID = Grid((60, 45, 200), (1.0, 1.1, 0.9), (-3.0, 0.0, 2.0))
SWEEP = Sweep(FRAMES, POSES, valid=VALID, mask=RNG.random((40, 50)) < 0.9)


def read(path):
    if path.suffix == ".npy":
        return np.load(path, mmap_mode="r")
    return io.map_volume(path).array


def batches(count=7):
    for start in range(0, len(FRAMES), count):
        yield SWEEP[start : start + count]


@pytest.mark.parametrize("memory", ["8MB", "14 MB", 10**9])
@pytest.mark.parametrize("method", METHODS)
def test_little_memory_gives_the_bits_of_much(method, memory, tmp_path):
    path, weight_path = tmp_path / "volume.nrrd", tmp_path / "weight.mha"
    seen = []
    grid = compound_to_file(
        batches(),
        path,
        GRID,
        method,
        memory=memory,
        weight_path=weight_path,
        num_threads=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert grid == GRID
    volume, weight = compound_arrays(FRAMES, POSES, GRID, method, valid=VALID, mask=SWEEP.mask)
    assert read(path).tobytes() == volume.tobytes()
    assert read(weight_path).tobytes() == weight.tobytes()
    assert all(0 <= done <= total for done, total in seen)
    assert [file.name for file in sorted(tmp_path.iterdir())] == ["volume.nrrd", "weight.mha"]
    whole = io.read_volume(path)
    assert whole.grid == GRID
    np.testing.assert_array_equal(whole.array, volume)


@pytest.mark.parametrize("name", ["s.igs.mha", "z.igs.mha", "s.igs.nrrd", "s.h5", "z.h5", "s.npz", "folder"])
def test_every_kind_of_sweep(name, tmp_path):
    source = tmp_path / name
    io.write_sweep(Sweep(FRAMES, POSES, valid=VALID), source, compress=not name.startswith("s"))
    path = tmp_path / "volume.npy"
    grid = compound_to_file(source, path, spacing=1.3, memory="8MB")
    expected = compound(io.read_sweep(source), spacing=1.3)
    assert grid == expected.volume.grid
    assert read(path).tobytes() == expected.volume.array.tobytes()


@pytest.mark.parametrize("mode", ["maximum", "latest", "weighted", "vote"])
@pytest.mark.parametrize("shape", ["frame", "pixel", "both"])
def test_every_mode(mode, shape, tmp_path):
    if mode != "weighted" and shape != "frame":
        return
    frames = FRAMES // 90 if mode == "vote" else FRAMES
    weights = {"frame": RNG.random(30), "pixel": RNG.random((40, 50)), "both": RNG.random(FRAMES.shape)}[shape]
    options = {"weights": weights} if mode == "weighted" else {}
    path = tmp_path / "volume.mha"
    source = [(frames[:11], POSES[:11]), (frames[11:], POSES[11:], np.ones(19, bool))]
    classes = 3 if mode == "vote" else None
    compound_to_file(source, path, GRID, mode=mode, memory="12MB", classes=classes, **options)
    volume, _ = compound_arrays(frames, POSES, GRID, mode=mode, **options)
    assert read(path).dtype == volume.dtype
    np.testing.assert_array_equal(read(path), volume)


@few
@given(case=cases(), method=st.sampled_from(METHODS))
def test_random_sweeps(case, method, tmp_path):
    path = tmp_path / "volume.npy"
    compound_to_file([case.arrays[:2]], path, case.grid, method, mask=case.mask, memory="40MB")
    volume, _ = compound_arrays(*case.arrays, method, mask=case.mask)
    assert np.load(path).tobytes() == volume.tobytes()


def test_zarr(tmp_path):
    zarr = pytest.importorskip("zarr", reason='needs zarr: pip install "usfast[scale]"')
    path = tmp_path / "volume.zarr"
    compound_to_file(batches(), path, GRID, memory="8MB")
    array = zarr.open(str(path), mode="r")
    volume, _ = compound_arrays(FRAMES, POSES, GRID, valid=VALID, mask=SWEEP.mask)
    np.testing.assert_array_equal(array[:], volume)
    assert array.attrs["spacing"] == GRID.spacing.tolist()
    with pytest.raises(FileExistsError):
        compound_to_file(batches(), path, GRID, memory="8MB")


def test_zarr_absent(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zarr", None)
    with pytest.raises(ImportError, match=r"usfast\[scale\]"):
        compound_to_file(batches(), tmp_path / "volume.zarr", GRID, memory="8MB")


def test_memory_is_bounded(tmp_path):
    """Python's own allocations, which arrays are; the bricks are bounded by the size of the parts."""
    tracemalloc.start()
    try:
        compound_to_file(batches(2), tmp_path / "volume.npy", GRID, memory="10MB", num_threads=1)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10e6


def test_a_huge_volume_takes_no_room_where_nothing_is(tmp_path):
    grid = Grid((300, 300, 3000), 1.0)
    path = tmp_path / "volume.nrrd"
    compound_to_file([(FRAMES[:1], POSES[:1])], path, grid, memory="50MB")
    assert path.stat().st_size > 10**9
    if path.stat().st_blocks * 512 > 10**8:
        pytest.skip("the file system does not know sparse files")
    assert read(path)[0].max() > 0


def test_a_failure_leaves_the_old_file(tmp_path):
    path = tmp_path / "volume.npy"
    path.write_bytes(b"old")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compound_to_file(batches(), path, GRID, memory="8MB", progress=stop)
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**5))
    with pytest.raises(OSError, match=r"needs 0.00216 GB, but only 0.0001 GB are free"):
        compound_to_file(batches(), tmp_path / "volume.npy", GRID, memory="8MB")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"path": "volume.nii"}, FormatError, "volumes are written in parts as .mha, .nrrd, .npy, .zarr"),
        ({"grid": None}, ValueError, "either spacing"),
        ({"spacing": 1.0}, ValueError, "either spacing"),
        ({"grid": (1, 2, 3)}, TypeError, "grid must be a Grid"),
        ({"memory": "lots"}, ValueError, "memory must be"),
        ({"memory": "1MB"}, ValueError, r"memory=1 MB is too little here; give at least \d+ MB"),
        ({"source": SWEEP}, TypeError, "source must be a path or an iterable"),
        ({"source": 3}, TypeError, "source must be a path or an iterable"),
        ({"source": []}, ValueError, "there is no batch"),
        ({"source": [FRAMES]}, TypeError, "a batch is"),
        ({"source": [(FRAMES, POSES), (FRAMES[:, 1:], POSES)]}, ValueError, "batches must agree"),
        ({"source": [SWEEP, (FRAMES, POSES)]}, ValueError, "same mask"),
        ({"source": [(FRAMES, POSES, np.zeros(30, bool))]}, GeometryError, "none of the 30 frames"),
        ({"mask": np.ones((3, 3), bool)}, ValueError, "mask has shape"),
        ({"mode": "weighted"}, ValueError, "weights"),
        ({"mode": "weighted", "weights": np.ones(4)}, ValueError, "weights must have one of the shapes"),
        ({"mode": "weighted", "weights": np.full(30, np.nan)}, ValueError, "finite"),
        ({"mode": "vote"}, ValueError, "classes"),
        ({"mode": "vote", "classes": 3}, ValueError, "labels"),
        ({"progress": 3}, TypeError, "progress"),
    ],
)
def test_bad_arguments(change, error, message, tmp_path):
    arguments = {"source": batches(), "path": "volume.npy", "grid": GRID, "memory": "12MB"} | change
    arguments["path"] = tmp_path / arguments["path"]
    with pytest.raises(error, match=message):
        compound_to_file(**arguments)
    assert not list(tmp_path.iterdir())


@given(
    shape=st.tuples(*[st.integers(1, 200)] * 3), most=st.integers(32**3, 10**6), side=st.sampled_from([4, 8, 16, 32])
)
def test_parts_tile_the_grid(shape, most, side):
    count = 0
    for begin, end in _cut(shape, most, side):
        voxels = np.prod(np.subtract(end, begin))
        assert 0 < voxels <= most
        count += voxels
    assert count == np.prod(shape)


@pytest.mark.parametrize("memory", [0, -1, "", "GB", "1 XB", "nan", True, None, 1.5j])
def test_bad_memory(memory):
    with pytest.raises(ValueError, match="memory must be"):
        memory_bytes(memory)
