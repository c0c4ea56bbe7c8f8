from pathlib import Path

import imageio.v3 as iio
import pytest
from matplotlib.figure import Figure

from usfast.report import figure_format, save_figure


@pytest.mark.parametrize("name", ["a.png", "b.PDF", "c.svg"])
def test_writes_the_format_of_the_name(tmp_path: Path, name: str) -> None:
    save_figure(Figure(figsize=(2, 1)), tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == [name]
    start = (tmp_path / name).read_bytes()[:5]
    assert start in (b"\x89PNG\r", b"%PDF-", b"<?xml")


def test_size_in_pixels(tmp_path: Path) -> None:
    save_figure(Figure(figsize=(2, 1)), tmp_path / "a.png", dpi=100)
    assert iio.imread(tmp_path / "a.png").shape[:2] == (100, 200)


def test_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "a.png"
    target.write_bytes(b"old")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", full)
    with pytest.raises(OSError, match="No space"):
        save_figure(Figure(), target)
    assert target.read_bytes() == b"old"
    assert [file.name for file in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["a.xyz", "noending"])
def test_unknown_endings(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="must end in"):
        save_figure(Figure(), tmp_path / name)
    with pytest.raises(ValueError, match="must end in"):
        figure_format(name)


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such folder"):
        save_figure(Figure(), tmp_path / "nowhere" / "a.png")
