"""Damaged files raise usfast's errors or the system's, nothing else."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from usfast import Sweep, UsfastError, Volume, io

FUZZ = settings(
    max_examples=int(os.environ.get("USFAST_FUZZ_EXAMPLES", "80")),
    deadline=None,
    derandomize="USFAST_FUZZ_EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
MUTATIONS = st.lists(
    st.tuples(st.floats(0, 1), st.sampled_from(["set", "delete", "insert", "cut"]), st.binary(min_size=1, max_size=4)),
    min_size=1,
    max_size=6,
)  # fmt: skip


def mutate(content: bytes, changes: list[tuple[float, str, bytes]]) -> bytes:
    data = bytearray(content)
    for place, kind, new in changes:
        start = int(place * len(data))
        if kind == "set":
            data[start : start + len(new)] = new
        elif kind == "delete":
            del data[start : start + len(new)]
        elif kind == "insert":
            data[start:start] = new
        else:
            del data[start:]
    return bytes(data)


CONFIG = b"""<PlusConfiguration><CoordinateDefinitions><Transform From="Image" To="Probe"
Matrix="0.1 0 0 5 0 0.1 0 0 0 0 0.1 0 0 0 0 1"/></CoordinateDefinitions><VolumeReconstruction
OutputSpacing="0.5 0.5 0.5" ClipRectangleOrigin="0 0" Interpolation="LINEAR" FillHoles="ON"><HoleFilling>
<HoleFillingElement Type="STICK" StickLengthLimit="9" NumberOfSticksToUse="1"/></HoleFilling>
</VolumeReconstruction></PlusConfiguration>"""
CALIBRATION = b"scaling_from_pixel_to_mm\n0.2,0,0,0\n0,0.2,0,0\n0,0,1,0\n0,0,0,1\n" + (
    b"spatial_calibration_from_image_coordinate_system_to_tracking_tool_coordinate_system\n"
    b"1,0,0,5\n0,1,0,0\n0,0,1,0\n0,0,0,1\n"
)


def check(path: Path, content: bytes, read: Callable[[Path], object]) -> None:
    path.write_bytes(content)
    try:
        read(path)
    except (UsfastError, OSError) as error:
        assert str(error)


@pytest.mark.parametrize("compress", [True, False], ids=["compressed", "raw"])
@pytest.mark.parametrize("name", ["a.igs.mha", "a.igs.nrrd", "a.npz", "a.h5"])
def test_sweeps(tmp_path: Path, make_sweep: Callable[..., Sweep], name: str, compress: bool) -> None:
    path = tmp_path / name
    io.write_sweep(make_sweep(3, 4, 5), path, compress=compress)
    original = path.read_bytes()

    @FUZZ
    @given(MUTATIONS)
    def run(changes: list[tuple[float, str, bytes]]) -> None:
        content = mutate(original, changes)
        check(path, content, io.read_sweep)
        check(path, content, io.describe)

    run()


@pytest.mark.parametrize(
    ("name", "original", "read"),
    [("config.xml", CONFIG, io.read_config), ("calib.csv", CALIBRATION, io.read_calibration)],
)
def test_texts(tmp_path: Path, name: str, original: bytes, read: Callable[[Path], object]) -> None:
    @FUZZ
    @given(MUTATIONS)
    def run(changes: list[tuple[float, str, bytes]]) -> None:
        check(tmp_path / name, mutate(original, changes), read)

    run()


def test_poses(tmp_path: Path, make_sweep: Callable[..., Sweep]) -> None:
    io.write_sweep(make_sweep(3, 4, 5), tmp_path / "a")
    original = (tmp_path / "a/poses.csv").read_bytes()

    @FUZZ
    @given(MUTATIONS)
    def run(changes: list[tuple[float, str, bytes]]) -> None:
        check(tmp_path / "a/poses.csv", mutate(original, changes), lambda path: io.read_sweep(path.parent))

    run()


@pytest.mark.parametrize("name", ["frame_000001.png", "labels/label_000001.tif", "meta.json", "mask.png"])
def test_images(tmp_path: Path, make_sweep: Callable[..., Sweep], name: str) -> None:
    sweep = make_sweep(2, 4, 5)
    labels, mask = np.zeros(sweep.frames.shape, np.uint8), np.ones(sweep.image_size, bool)
    full = Sweep(sweep.frames, sweep.image_to_world, None, sweep.valid, mask, labels, sweep.meta)
    io.write_sweep(full, tmp_path / "a")
    original = (tmp_path / "a" / name).read_bytes()

    @FUZZ
    @given(MUTATIONS)
    def run(changes: list[tuple[float, str, bytes]]) -> None:
        check(tmp_path / "a" / name, mutate(original, changes), lambda _: io.read_sweep(tmp_path / "a"))

    run()


@pytest.mark.parametrize("name", ["v.mha", "v.nrrd", "v.nii"])
def test_volumes(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    io.write_volume(Volume(np.arange(24, dtype=np.uint8).reshape(2, 3, 4), 0.5), path)
    original = path.read_bytes()

    @FUZZ
    @given(MUTATIONS)
    def run(changes: list[tuple[float, str, bytes]]) -> None:
        check(path, mutate(original, changes), io.read_volume)

    run()


def test_dicom(tmp_path: Path, data_dir: Path) -> None:
    original = (data_dir / "dicom/examples_ybr_color.dcm").read_bytes()[:40_000]  # header and some frames
    original_header = original[:3000]

    @settings(FUZZ, max_examples=40)
    @given(MUTATIONS)
    def run(changes: list[tuple[float, str, bytes]]) -> None:
        content = mutate(original_header, changes) + original[3000:]
        check(tmp_path / "a.dcm", content, io.read_sweep)

    run()
