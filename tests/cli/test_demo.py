import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import pytest

from usfast import io, metrics, phantom

Run = Callable[..., Any]
FILES = ["demo.png", "labels.nrrd", "sweep.igs.mha", "volume.nrrd"]


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    probe = {"width": 50.0, "depth": 60.0, "shape": (100, 80), "frequency": 2.5, "lines": 64}
    monkeypatch.setattr("usfast.cli.demo._PROBE", probe)
    monkeypatch.setattr("usfast.cli.demo._FRAMES", 16)
    monkeypatch.setattr("usfast.cli.demo._SCANNED_MM", (100.0, 130.0))


@pytest.mark.usefixtures("quick")
def test_demo(usfast: Run, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "demo"
    result = usfast("demo", "--out", folder, "--spacing", 1.5)
    assert result.exit_code == 0, result.output
    assert sorted(file.name for file in folder.iterdir()) == FILES
    for said in (
        "Mpixel/s",
        "Dice 0.9",
        "soleus",
        "ml (true ",
        str(folder / "demo.png"),
        "1.5 x 1.5 x 1.5",
    ):
        assert said in result.output
    volume, labels = (io.read_volume(folder / name) for name in ("volume.nrrd", "labels.nrrd"))
    assert volume.grid == labels.grid
    truth = phantom.label_volume(phantom.CalfPhantom(0), labels.grid)
    seen = labels.array > 0  # only what was scanned can be right
    assert (truth.array == labels.array)[seen].mean() > 0.9
    assert metrics.overlap(labels.array > 0, truth.array > 0).precision > 0.9
    assert len(io.read_sweep(folder / "sweep.igs.mha")) == 80
    assert iio.imread(folder / "demo.png").shape[1] > 1500


@pytest.mark.usefixtures("quick")
def test_again_into_the_same_folder(usfast: Run, tmp_path: Path) -> None:
    args = ("demo", "--out", tmp_path, "--spacing", 3)
    assert usfast(*args).exit_code == 0
    first = io.read_volume(tmp_path / "volume.nrrd").array
    assert usfast(*args).exit_code == 0
    assert (io.read_volume(tmp_path / "volume.nrrd").array == first).all()


@pytest.mark.parametrize(
    "options",
    [["--spacing", "0"], ["--spacing", "x"], ["--seed", "-1"], ["--seed", "x"], ["--spacing", "1e-4"]],
)
@pytest.mark.usefixtures("quick")
def test_refusals(usfast: Run, tmp_path: Path, options: list[str]) -> None:
    assert usfast("demo", "--out", tmp_path, *options).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_the_folder_should_be(usfast: Run, tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("mine")
    assert usfast("demo", "--out", tmp_path / "demo").exit_code == 2
    assert (tmp_path / "demo").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_ctrl_c(tmp_path: Path) -> None:
    code = "from usfast.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "demo", "--out", str(tmp_path)],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not list(tmp_path.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.05)  # the drafts' folders appear right before the long work
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (130, "")
    assert err == "usfast: interrupted; nothing was written\n"
    assert list(tmp_path.iterdir()) == []
