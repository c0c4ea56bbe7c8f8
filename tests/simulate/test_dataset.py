"""Simulated data sets: what is written, that it is the same again, and what a damaged one does."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import signal
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from usfast import FormatError, UsfastError, io, phantom
from usfast.phantom.trajectories import TrackerModel
from usfast.simulate import BModeSettings, LinearProbe
from usfast.simulate.annotations import drawn_by_hand
from usfast.simulate.dataset import write_dataset
from usfast.simulate.dataset_options import PARTS, DatasetOptions, differences, split_subjects
from usfast.simulate.dataset_reader import read_dataset
from usfast.simulate.truth import Truth, read_truth, write_truth

PROBE = LinearProbe(width=16.0, depth=16.0, shape=(40, 48))
OPTIONS: dict[str, Any] = {
    "subjects": 3,
    "frames": 3,
    "passes": (1, 2),
    "probe": PROBE,
    "label_spacing": 6.0,
    "annotate_every": 2,
    "annotation_mm": 0.5,
    "tracker": TrackerModel(noise_mm=0.1, noise_deg=0.05, dropout=0.3),
    "num_threads": 1,
}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "set"
    write_dataset(folder, **OPTIONS)
    return folder


@pytest.fixture
def copied(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "set"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def test_what_is_there(original: Path) -> None:
    data = read_dataset(original)
    assert data.check() == []
    assert data.unfinished == ()
    assert [subject.name for subject in data.subjects] == ["subject_000", "subject_001", "subject_002"]
    assert sorted(subject.part for subject in data.subjects) == sorted(PARTS)
    assert [len(data.part(part)) for part in PARTS] == [1, 1, 1]
    assert data.label_names[1] == "gastrocnemius medialis"
    assert data.options["frames"] == 3
    assert len({subject.entry["seeds"]["phantom"] for subject in data.subjects}) == 3
    for subject in data.subjects:
        assert 1 <= len(subject.sweeps) <= 2
        assert set(subject.volumes_ml) == set(", ".join(data.label_names.values()).split(", "))
        assert min(subject.volumes_ml.values()) > 0
        there = {file.name for file in subject.folder.iterdir()}
        assert there == {*subject.entry["files"], "subject.json"}
    with pytest.raises(ValueError, match="the parts are train"):
        data.part("validate")


def test_sweeps_carry_what_the_tracker_said(original: Path) -> None:
    for subject in read_dataset(original).subjects:
        for files in subject.sweeps:
            sweep, truth = files.read(), files.truth()
            assert sweep.frames.shape == (3, 40, 48)
            assert sweep.frames.std() > 1
            assert sweep.valid.sum() == subject.entry["sweeps"][0]["valid"] or len(subject.sweeps) > 1
            error = (sweep.image_to_world - truth.image_to_world)[sweep.valid, :3, 3]
            assert not error.size or 0 < np.abs(error).max() < 1.0
            np.testing.assert_allclose(truth.image_to_world, truth.probe_to_world @ PROBE.image_to_probe, atol=1e-9)
            assert sweep.timestamps is not None
            assert (sweep.timestamps == truth.timestamps).all()
            other = io.read_sweep(files.paths["igs.mha"])
            assert (other.frames == sweep.frames).all()
            assert (other.valid == sweep.valid).all()
            np.testing.assert_allclose(other.image_to_world[sweep.valid], sweep.image_to_world[sweep.valid], atol=1e-9)
            assert [len(part) for part in files.parts(chunk=2)] == [2, 1]
            exact = files.true_sweep()
            assert exact.valid.all()
            assert (exact.image_to_world == truth.image_to_world).all()


def test_hdf5_is_laid_out_as_tus_rec(original: Path) -> None:
    files = read_dataset(original).subjects[0].sweeps[0]
    calibration = io.read_calibration(original / "calib_matrix.csv")
    np.testing.assert_allclose(calibration.image_to_tool, PROBE.image_to_probe, atol=1e-12)
    turn = calibration.image_mm_to_tool[:3, :3]
    np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=1e-12)
    with h5py.File(files.path) as file:
        assert file["frames"].dtype == np.uint8
        tool_to_world = file["tforms"][()]
    valid = np.isfinite(tool_to_world).all(axis=(1, 2))
    turns = tool_to_world[valid, :3, :3]
    np.testing.assert_allclose(np.swapaxes(turns, 1, 2) @ turns, np.tile(np.eye(3), (len(turns), 1, 1)), atol=1e-9)


def test_annotations_are_sparse_and_near_the_truth(original: Path) -> None:
    for subject in read_dataset(original).subjects:
        for files in subject.sweeps:
            drawn, truth, sweep = files.annotations(), files.truth(), files.read()
            assert drawn.meta["frame_index"] == truth.annotated.tolist() == [0, 2]
            assert (drawn.frames == sweep.frames[[0, 2]]).all()
            assert drawn.labels is not None
            assert set(np.unique(drawn.labels)) <= set(np.unique(truth.labels)) | {0}
            assert (drawn.labels != truth.labels).mean() < 0.3
            assert truth.border.max() <= 2


def test_labels_are_those_of_the_phantom(original: Path) -> None:
    subject = read_dataset(original).subjects[1]
    body = phantom.CalfPhantom(seed=subject.entry["seeds"]["phantom"])
    volume = subject.labels()
    centres = np.indices(volume.grid.size).reshape(3, -1).T
    points = np.c_[centres, np.ones(len(centres))] @ volume.grid.voxel_to_world.T
    want = body.labels(points[:, :3]).reshape(volume.grid.size).transpose(2, 1, 0)
    assert (volume.array != want).mean() < 1e-4
    low, high = np.asarray(body.bounds)
    assert (np.asarray(volume.grid.size) * 6.0 >= high - low - 1e-6).all()
    truth = subject.sweeps[0].truth()
    rows, columns = np.indices(PROBE.shape)
    pixels = np.stack([columns, rows, 0 * rows, 1 + 0 * rows], axis=-1)
    points = pixels @ truth.image_to_world[0].T
    assert (body.labels(points[..., :3]) != truth.labels[0]).mean() < 1e-2


def test_the_same_bytes_from_two_processes(original: Path, tmp_path: Path) -> None:
    counts: list[tuple[int, int]] = []
    again = tmp_path / "again"
    manifest = write_dataset(again, **OPTIONS, workers=2, progress=lambda *done: counts.append(done))
    assert contents(again) == contents(original)
    assert manifest["complete"]
    assert counts[-1][0] == counts[-1][1] == 3 * sum(len(subject["sweeps"]) for subject in manifest["subjects"])
    assert [done for done, _ in counts] == sorted(done for done, _ in counts)


def test_a_finished_set_is_left_alone(copied: Path) -> None:
    before = {file: file.stat().st_mtime_ns for file in copied.glob("subject_*/*")}
    counts: list[int] = []
    write_dataset(copied, **OPTIONS, progress=lambda done, total: counts.append(total))
    assert {file: file.stat().st_mtime_ns for file in copied.glob("subject_*/*")} == before
    assert counts == []


def test_damaged_and_missing_subjects_are_made_again(copied: Path, original: Path) -> None:
    kept = (copied / "subject_001" / "sweep_0.h5").stat().st_mtime_ns
    damaged = copied / "subject_000" / "sweep_0.igs.mha"
    data = bytearray(damaged.read_bytes())
    data[-20] ^= 1
    damaged.write_bytes(data)
    shutil.rmtree(copied / "subject_002")
    (copied / ".usfast-left").mkdir()
    assert [line.split(":")[0] for line in read_dataset(copied).check()] == [
        str(damaged),
        str(copied / "subject_002" / "labels.nrrd"),
    ]
    write_dataset(copied, **OPTIONS)
    assert contents(copied) == contents(original)
    assert not list(copied.glob(".usfast-*"))
    assert (copied / "subject_001" / "sweep_0.h5").stat().st_mtime_ns == kept


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupted_run_goes_on(workers: int, tmp_path: Path, original: Path) -> None:
    folder = tmp_path / "set"
    finished: list[int] = []

    def interrupt(done: int, total: int) -> None:
        finished.append(done)
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_dataset(folder, **OPTIONS, workers=workers, progress=interrupt)
    assert not list(folder.glob(".usfast-*"))
    data = read_dataset(folder)
    assert data.check() == []
    assert len(data.subjects) + len(data.unfinished) == 3
    if workers == 1:
        assert len(data.unfinished) >= 1
        assert not json.loads((folder / "manifest.json").read_text())["complete"]
    write_dataset(folder, **OPTIONS)
    assert contents(folder) == contents(original)


def test_other_options_are_refused_or_overwrite(copied: Path) -> None:
    before = contents(copied)
    with pytest.raises(ValueError, match=r"options\.seed is 1 now and 0 there.*overwrite"):
        write_dataset(copied, **OPTIONS, seed=1)
    with pytest.raises(ValueError, match=r"options\.probe\.depth is 17\.0 now and 16\.0 there"):
        write_dataset(copied, **{**OPTIONS, "probe": LinearProbe(width=16.0, depth=17.0, shape=(40, 48))})
    assert contents(copied) == before
    manifest = write_dataset(copied, **{**OPTIONS, "subjects": 1, "formats": "h5"}, overwrite=True)
    assert manifest["complete"]
    assert [file.name for file in copied.glob("subject_*")] == ["subject_000"]
    assert not list(copied.rglob("*.mha"))
    files = manifest["subjects"][0]["files"]
    assert files["labels.nrrd"] == json.loads(before["subject_000/subject.json"])["files"]["labels.nrrd"]


def test_another_version_is_refused(copied: Path) -> None:
    edited(copied, lambda manifest: manifest["software"].update(usfast="0.0.1"))
    with pytest.raises(ValueError, match=r'usfast is ".*" now and "0\.0\.1" there'):
        write_dataset(copied, **OPTIONS)


def test_folders_of_others_are_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r"no manifest\.json"):
            write_dataset(tmp_path, **OPTIONS, overwrite=overwrite)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]


def test_two_runs_do_not_meet(copied: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    handle = os.open(copied, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="another run is writing"):
            write_dataset(copied, **OPTIONS)
    finally:
        os.close(handle)


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")(10**9, 10**9, 10_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(OSError, match=r"3 subjects need about .* GB, but the disk has 1e-05 GB free"):
        write_dataset(tmp_path / "set", **OPTIONS)
    assert list((tmp_path / "set").iterdir()) == []


def test_a_pass_that_memory_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(MemoryError, match=r"take fewer frames or workers"):
        write_dataset(tmp_path / "set", **{**OPTIONS, "frames": 10**9, "passes": 1})


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_worker_that_dies(tmp_path: Path) -> None:
    def kill(done: int, total: int) -> None:
        if done:
            os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    with pytest.raises(UsfastError, match="a worker process died"):
        write_dataset(tmp_path / "set", **{**OPTIONS, "passes": 2}, workers=2, progress=kill)
    write_dataset(tmp_path / "set", **{**OPTIONS, "passes": 2})
    assert read_dataset(tmp_path / "set").check() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"subjects": 0}, "subjects must be at least 1"),
        ({"subjects": 1.5}, "whole number"),
        ({"subjects": 10**9}, "at most"),
        ({"seed": -1}, "seed"),
        ({"phantom": "horse"}, "one of calf, thyroid, prostate"),
        ({"passes": (3, 2)}, "the least and then the most"),
        ({"passes": 0}, "passes must be at least 1"),
        ({"passes": (1, 2, 3)}, "passes"),
        ({"frames": 0}, "frames"),
        ({"overlap": 1.0}, "overlap"),
        ({"frame_rate": float("nan")}, "frame_rate"),
        ({"annotate_every": 0}, "annotate_every"),
        ({"annotation_mm": -1.0}, "annotation_mm"),
        ({"label_spacing": 0.0}, "label_spacing"),
        ({"formats": ()}, "formats"),
        ({"formats": ("h5", "dcm")}, "formats"),
        ({"workers": 0}, "workers"),
        ({"num_threads": 0}, "num_threads"),
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, TypeError), match=words):
        write_dataset(tmp_path / "set", **{**OPTIONS, **options})
    assert not (tmp_path / "set").exists()


def test_defaults_are_spelled_out() -> None:
    options = DatasetOptions()
    assert options.as_json() == DatasetOptions(probe=LinearProbe(), settings=BModeSettings()).as_json()
    assert list(differences(options.as_json(), DatasetOptions(frames=7).as_json())) == ["frames is 300 now and 7 there"]
    first, second = (DatasetOptions(subjects=n).plans()[2] for n in (3, 44))
    assert first.seeds == second.seeds
    assert first.passes == second.passes
    passes = [plan.passes for plan in options.plans()]
    assert set(passes) == {4, 5, 6}


def test_split_in_the_thesis_proportion() -> None:
    for subjects in range(1, 120):
        parts = split_subjects(subjects, seed=3)
        counts = np.array([parts.count(part) for part in PARTS])
        assert counts.sum() == subjects
        assert np.abs(counts - subjects * np.array([29, 5, 10]) / 44).max() < 1 or subjects < 9
        assert subjects < 3 or counts.min() > 0
    assert split_subjects(44, 1) != split_subjects(44, 2)


def edited(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(format="other"),
        lambda m: m.update(version=99),
        lambda m: m.pop("options"),
        lambda m: m.update(subjects={}),
        lambda m: m.update(subjects=[7]),
        lambda m: m["subjects"][0].update(id="../elsewhere"),
        lambda m: m["subjects"][0].update(id="/etc"),
        lambda m: m["subjects"][0].update(part="all"),
        lambda m: m["subjects"][0].update(sweeps=7),
        lambda m: m["subjects"][0]["sweeps"][0].update(files=[]),
        lambda m: m["subjects"][0]["sweeps"][0].update(files={"h5": "../../secret.h5"}),
        lambda m: m["subjects"][0]["sweeps"][0].update(files={"h5": "/etc/passwd"}),
        lambda m: m["subjects"][0]["sweeps"][0].update(truth=".."),
        lambda m: m["subjects"][0]["sweeps"][0].update(annotations=None),
        lambda m: m["subjects"][0]["sweeps"][0].update(frames="3"),
        lambda m: m["subjects"][0]["sweeps"][0].update(annotated=-1),
        lambda m: m.update(label_names={"one": "x"}),
    ],
)
def test_a_hostile_manifest(change: Callable[[dict[str, Any]], object], copied: Path) -> None:
    edited(copied, change)
    with pytest.raises(FormatError, match=r"manifest|subject"):
        read_dataset(copied)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"format": 1e999}', "\x00"])
def test_a_manifest_that_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(text)
    for reading in (read_dataset, lambda folder: write_dataset(folder, **OPTIONS)):
        with pytest.raises(FormatError, match=r"manifest\.json"):
            reading(tmp_path)


def test_links_out_of_the_folder(copied: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    shutil.copy(copied / "subject_000" / "sweep_0.h5", secret)
    (copied / "subject_000" / "sweep_0.h5").unlink()
    (copied / "subject_000" / "sweep_0.h5").symlink_to(secret)
    with pytest.raises(FormatError, match="leads out of its folder"):
        read_dataset(copied)
    write_dataset(copied, **OPTIONS)
    assert not (copied / "subject_000" / "sweep_0.h5").is_symlink()
    outside = tmp_path / "subject_000"
    shutil.move(copied / "subject_000", outside)
    (copied / "subject_000").symlink_to(outside)
    with pytest.raises(FormatError, match="leads out of its folder"):
        read_dataset(copied)
    write_dataset(copied, **OPTIONS)
    assert (outside / "sweep_0.h5").exists()
    assert not (copied / "subject_000").is_symlink()


def test_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_dataset(tmp_path)


@pytest.fixture
def truth() -> Truth:
    poses = np.tile(np.eye(4), (4, 1, 1))
    maps = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    return Truth(poses, 2 * poses, np.arange(4.0), np.array([0, 2]), maps, maps % 3, maps > 10)


def test_truth_comes_back(truth: Truth, tmp_path: Path) -> None:
    path = tmp_path / "truth.h5"
    write_truth(truth, path)
    back = read_truth(path)
    for name in Truth.__dataclass_fields__:
        assert (getattr(back, name) == getattr(truth, name)).all()
        assert getattr(back, name).dtype == getattr(truth, name).dtype
    first = path.read_bytes()
    write_truth(truth, path)
    assert path.read_bytes() == first


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.pop("labels"),
        lambda file: file.move("timestamps", "times"),
        lambda file: replaced(file, "annotated", np.array([0, 4])),
        lambda file: replaced(file, "image_to_world", np.eye(4)),
        lambda file: replaced(file, "labels", np.zeros((2, 3), np.uint8)),
        lambda file: replaced(file, "border", np.array([b"text"])),
        lambda file: replaced(file, "border", h5py.ExternalLink("/etc/passwd", "x")),
        lambda file: replaced(file, "labels", h5py.SoftLink("/nowhere")),
    ],
)
def test_a_hostile_truth(change: Callable[[h5py.File], object], truth: Truth, tmp_path: Path) -> None:
    path = tmp_path / "truth.h5"
    write_truth(truth, path)
    with h5py.File(path, "r+") as file:
        change(file)
    with pytest.raises(FormatError, match=r"truth\.h5"):
        read_truth(path)


def replaced(file: h5py.File, name: str, value: Any) -> None:
    del file[name]
    file[name] = value


def test_a_cut_truth(truth: Truth, tmp_path: Path) -> None:
    path = tmp_path / "truth.h5"
    write_truth(truth, path)
    data = path.read_bytes()
    for size in (0, 10, len(data) // 2):
        path.write_bytes(data[:size])
        with pytest.raises(FormatError):
            read_truth(path)


def test_borders_drawn_by_hand_stray_by_their_sigma() -> None:
    true = np.zeros((250, 250), np.uint8)
    true[:, 125:] = 1
    true[125:, 125:] = 2
    assert (drawn_by_hand(true, (0.2, 0.2), 0.0) == true).all()
    strays = []
    for seed in range(20):
        drawn = drawn_by_hand(true, (0.2, 0.1), 0.6, seed=seed)
        assert set(np.unique(drawn)) == {0, 1, 2}
        strays.append(((drawn[:110] == 0).sum(axis=1) - 125) * 0.2)
    assert np.std(strays) == pytest.approx(0.6, rel=0.15)
    assert (drawn_by_hand(true, (0.2, 0.1), 0.6, seed=3) == drawn_by_hand(true, (0.2, 0.1), 0.6, seed=3)).all()
    with pytest.raises(ValueError, match="shape"):
        drawn_by_hand(np.zeros(5), (1.0, 1.0), 0.1)
    with pytest.raises(ValueError, match="sigma_mm"):
        drawn_by_hand(true, (1.0, 1.0), float("nan"))
