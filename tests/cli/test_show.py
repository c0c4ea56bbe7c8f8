from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from usfast import Volume, io

Run = Callable[..., Any]


@pytest.fixture
def volume_file(tmp_path: Path) -> Path:
    array = np.random.default_rng(0).random((10, 20, 30), np.float32)
    array[:, :10] = 0
    path = tmp_path / "v.nrrd"
    io.write_volume(Volume(array, (0.5, 0.5, 1.0)), path)
    return path


def _texts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    from usfast import report

    texts: list[str] = []
    save = report.save_figure

    def record(figure: Any, path: Path) -> None:
        texts.extend(text.get_text() for axes in figure.axes for text in axes.texts)
        save(figure, path)

    monkeypatch.setattr(report, "save_figure", record)
    return texts


def test_picture(usfast: Run, volume_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = _texts(monkeypatch)
    result = usfast("show", volume_file, "-o", tmp_path / "a.png", "--at", "3,12,7")
    assert (result.exit_code, result.output.strip()) == (0, str(tmp_path / "a.png"))
    assert iio.imread(tmp_path / "a.png").ndim == 3
    assert "50.0 % of voxels not 0" in "\n".join(texts)
    assert "planes through voxel 3, 12, 7" in "\n".join(texts)


def test_labels_and_weight(usfast: Run, volume_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = np.zeros((10, 20, 30), np.uint8)
    labels[5, 5:8, 5:8] = 1
    io.write_volume(Volume(labels, (0.5, 0.5, 1.0)), tmp_path / "l.nrrd")
    io.write_volume(Volume((labels == 1).astype(np.float32), (0.5, 0.5, 1.0)), tmp_path / "w.nrrd")
    texts = _texts(monkeypatch)
    result = usfast(
        "show", volume_file, "-o", tmp_path / "a.svg", "--labels", tmp_path / "l.nrrd", "--weight",
        tmp_path / "w.nrrd",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "0.1 % of voxels covered" in "\n".join(texts)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--at", "30,0,0"], "at must be a voxel"),
        (["--at", "1,2"], "--at must be x,y,z"),
        (["--at", "1.5,2,3"], "three whole numbers"),
        (["--labels", "other.nrrd"], "but the volume has"),
        (["--weight", "nothing.nrrd"], "nothing.nrrd"),
    ],
)
def test_refusals(
    usfast: Run,
    volume_file: Path,
    tmp_path: Path,
    options: list[str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    io.write_volume(Volume(np.zeros((2, 2, 2), np.uint8), 1.0), tmp_path / "other.nrrd")
    result = usfast("show", volume_file, "-o", tmp_path / "a.png", *options)
    assert result.exit_code == 2
    assert words in result.output
    assert not (tmp_path / "a.png").exists()
