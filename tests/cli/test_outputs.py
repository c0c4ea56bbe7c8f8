from pathlib import Path

import pytest

from usfast.cli.outputs import check_volume_name, outputs


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_drafts_become_the_targets(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with outputs(tmp_path / "a.txt", None, tmp_path / "b.txt") as (a, b):
        a.write_text("new a")
        b.write_text("new b")
        assert (tmp_path / "a.txt").read_text() == "old"
    assert _names(tmp_path) == ["a.txt", "b.txt"]
    assert (tmp_path / "a.txt").read_text() == "new a"


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, ValueError])
def test_all_or_nothing(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(error), outputs(tmp_path / "a.txt", tmp_path / "b.txt") as (a, _):
        a.write_text("new")
        raise error
    assert _names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_data_files_beside_a_header_come_along(tmp_path: Path) -> None:
    with outputs(tmp_path / "a.mhd") as (draft,):
        draft.write_text("ElementDataFile = a.raw")
        draft.with_name("a.raw").write_text("pixels")
    assert _names(tmp_path) == ["a.mhd", "a.raw"]


def test_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="there is no such folder"), outputs(tmp_path / "no" / "a.txt"):
        pytest.fail("the long work began")


def test_unwritable_folder() -> None:
    if not Path("/proc/self").is_dir():
        pytest.skip("no folder that refuses root too")
    with pytest.raises(OSError, match="/proc: cannot write into this folder"), outputs(Path("/proc/a.txt")):
        pytest.fail("the long work began")


def test_folders_inputs_and_doubles_are_refused(tmp_path: Path) -> None:
    a = tmp_path / "a.txt"
    for targets, inputs, message in (
        ([tmp_path], [], "is a folder"),
        ([a, tmp_path / "." / "a.txt"], [], "cannot be the same file"),
        ([a], [a], "would overwrite an input"),
    ):
        with pytest.raises((OSError, ValueError), match=message), outputs(*targets, inputs=inputs):
            pytest.fail("the long work began")


@pytest.mark.parametrize("name", ["a.png", "a", "nrrd", "a.nrrd.txt"])
def test_names_of_no_volume_format(name: str) -> None:
    check_volume_name(Path("a.NII.gz"))
    with pytest.raises(ValueError, match="must end in"):
        check_volume_name(Path(name))
