"""An interrupted or failed write leaves what was there and no rubbish."""

import subprocess
import sys
from pathlib import Path

import pytest

from usfast.io.atomic import replacing, replacing_folder


def test_failure_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as draft:
        draft.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_files_beside_move_along(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.mhd") as draft:
        draft.write_text("header")
        draft.with_suffix(".raw").write_text("pixels")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.mhd", "a.raw"]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"), replacing(tmp_path / "nowhere" / "a"):
        pass


def test_folder_with_content_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with replacing_folder(tmp_path / "out") as draft:
        (draft / "a").write_text("1")
    with pytest.raises(FileExistsError, match="not an empty folder"), replacing_folder(tmp_path / "out"):
        pass
    assert (tmp_path / "out" / "a").read_text() == "1"


_FULL = """
import resource, sys
import numpy as np
from pathlib import Path
from usfast import Sweep, Volume, io
import SimpleITK, h5py, imageio.v3, tifffile, PIL.PngImagePlugin
noise = np.random.default_rng(0).integers(0, 256, (4, 64, 64)).astype(np.uint8)
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
try:
    if sys.argv[2] == "volume":
        io.write_volume(Volume(noise, 1.0), path)
    else:
        io.write_sweep(Sweep(noise, np.tile(np.eye(4), (4, 1, 1))), path)
except OSError as error:
    sys.exit(7)
"""


@pytest.mark.parametrize("name", ["a.igs.mha", "a.igs.nrrd", "a.npz", "a.h5", "a.mhd", "v.mha", "v.nii.gz", "v.nrrd"])
def test_no_space_is_an_error_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    old = tmp_path / name
    old.write_bytes(b"old")
    kind = "volume" if name.startswith("v.") else "sweep"
    done = subprocess.run([sys.executable, "-c", _FULL, str(old), kind], capture_output=True, text=True)
    assert done.returncode == 7, done.stderr
    assert old.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [old]
