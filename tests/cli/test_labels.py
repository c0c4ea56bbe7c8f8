import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from usfast import Grid, Sweep, Volume, io
from usfast.labels.files.annotation_json import write_contours
from usfast.labels.files.contours import Contour, ContourSet
from usfast.labels.files.frame_masks import write_frame_masks
from usfast.labels.files.label_files import read_labels, write_labels

Run = Callable[..., Any]
FRAMES, H, W = 31, 40, 48


def sections() -> np.ndarray:
    """(N, H, W) labels: a body (1) that swells and shrinks, and a rod (2) beside it."""
    labels = np.zeros((FRAMES, H, W), np.uint8)
    v, u = np.mgrid[:H, :W]
    for k in range(FRAMES):
        radius = 10 - 0.02 * (k - 15) ** 2
        labels[k][(u - 20) ** 2 + (v - 18) ** 2 < radius**2] = 1
        labels[k, 30:36, 34:44] = 2
    return labels


@pytest.fixture(scope="module")
def true() -> np.ndarray:
    return sections()


@pytest.fixture(scope="module")
def swept(true: np.ndarray) -> Sweep:
    """Frames of 1 mm pixels, 1 mm apart; the structures are brighter than the rest."""
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    poses[:, 2, 3] = np.arange(FRAMES)
    rng = np.random.default_rng(0)
    frames = np.uint8([40, 120, 200])[true] + rng.integers(0, 12, true.shape, np.uint8)
    return Sweep(frames, poses, timestamps=np.arange(FRAMES) / 20)


@pytest.fixture
def work(tmp_path: Path, swept: Sweep, true: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a sweep, labels of every fifth frame in several forms, and volumes of the same."""
    monkeypatch.chdir(tmp_path)
    drawn = np.zeros_like(true)
    drawn[::5] = true[::5]
    io.write_sweep(swept, Path("plain.igs.mha"))
    io.write_sweep(replace(swept, labels=drawn), Path("sweep.npz"))
    io.write_sweep(replace(swept, labels=true), Path("dense.npz"))
    io.write_sweep(replace(swept[::5], labels=true[::5]), Path("drawn.npz"))
    grid = Grid((W, H, FRAMES), 1.0)
    write_labels(Volume.on(grid, drawn), Path("sparse.nrrd"))
    write_labels(Volume.on(grid, true), Path("truth.seg.nrrd"), names={1: "soleus", 2: "rod"})
    io.write_volume(Volume.on(grid, swept.frames), Path("image.nrrd"))
    return tmp_path


def dice(path: str, true: np.ndarray, label: int) -> float:
    found = read_labels(path).labels.array == label
    assert found.shape == true.shape
    return float(2 * np.count_nonzero(found & (true == label)) / (found.sum() + (true == label).sum()))


def fine(result: Any) -> str:
    assert result.exit_code == 0, result.output
    return str(result.output)


@pytest.mark.parametrize("method", ["smaller", "nearest", "signed_distance", "spline", "discs"])
def test_zoi_methods(usfast: Run, work: Path, true: np.ndarray, method: str) -> None:
    output = fine(
        usfast("labels", "zoi", "sweep.npz", "-o", "l.seg.nrrd", "--method", method, "--spacing", "1",
               "--smooth", "0", "--names", "1=soleus,2=rod")
    )  # fmt: skip
    assert f"{method}, 7 of 31 frames annotated" in output
    assert "soleus" in output and " ml" in output
    assert read_labels("l.seg.nrrd").names == {1: "soleus", 2: "rod"}
    assert dice("l.seg.nrrd", true, 2) > 0.99
    assert dice("l.seg.nrrd", true, 1) > (0.92 if method == "smaller" else 0.96)


def test_zoi_takes_the_smaller_mask(usfast: Run, work: Path, true: np.ndarray) -> None:
    fine(usfast("labels", "zoi", "dense.npz", "-o", "l.nrrd", "--spacing", "1", "--every", "5", "--smooth", "0"))
    fine(usfast("labels", "zoi", "sweep.npz", "-o", "m.nrrd", "--spacing", "1", "--rule", "smaller", "--smooth", "0"))
    found = read_labels("l.nrrd").labels.array
    assert (found == read_labels("m.nrrd").labels.array).all()
    for k in range(FRAMES):
        first, second = true[5 * (k // 5)] == 1, true[min(5 * -(-k // 5), FRAMES - 1)] == 1
        smaller = first if first.sum() <= second.sum() else second
        assert ((found[k] == 1) == smaller).all()


@pytest.mark.parametrize("kind", ["masks", "contours.json", "drawn.npz", "stack.seg.nrrd"])
def test_zoi_reads_annotations(usfast: Run, work: Path, true: np.ndarray, kind: str) -> None:
    annotated = np.arange(FRAMES) % 5 == 0
    drawn = np.where(annotated[:, None, None], true, 0).astype(np.uint8)
    if kind == "masks":
        write_frame_masks(drawn, Path(kind), annotated=annotated, first=1)
    elif kind.endswith("json"):
        square = [[33.5, 29.5], [43.5, 29.5], [43.5, 35.5], [33.5, 35.5]]
        contours = tuple(Contour(square, 2, k) for k in range(0, FRAMES, 5))
        write_contours(ContourSet(contours, FRAMES, (H, W), {2: "rod"}), Path(kind))
    elif kind.endswith("nrrd"):
        write_labels(Volume.on(Grid((W, H, FRAMES), 1.0), drawn), Path(kind), names={2: "rod"})
    output = fine(
        usfast("labels", "zoi", "plain.igs.mha", "-a", kind, "--first", "1", "-o", "l.nii.gz", "--spacing", "1",
               "--rule", "nearest", *(["--figure", "l.png"] if kind == "masks" else []))
    )  # fmt: skip
    assert "7 of 31 frames annotated" in output
    assert dice("l.nii.gz", true, 2) > 0.97
    assert kind != "masks" or iio.imread("l.png").ndim == 3
    if "." in kind and "npz" not in kind:
        assert "rod" in output


def test_zoi_joins_sweeps(usfast: Run, work: Path, true: np.ndarray, swept: Sweep) -> None:
    shifted = swept.image_to_world.copy()
    shifted[:, 0, 3] = 40
    io.write_sweep(replace(swept, image_to_world=shifted, labels=true), Path("other.npz"))
    fine(usfast("labels", "zoi", "dense.npz", "other.npz", "-o", "l.nrrd", "--spacing", "1", "--every", "10"))
    found = read_labels("l.nrrd").labels
    assert found.grid.size == (W + 40, H, FRAMES)
    assert set(np.unique(found.array)) == {0, 1, 2}


@pytest.mark.parametrize("method", ["morphological", "signed_distance"])
def test_fbs(usfast: Run, work: Path, true: np.ndarray, method: str) -> None:
    output = fine(
        usfast("labels", "fbs", "sparse.nrrd", "-o", "full.seg.nrrd", "--method", method, "--image", "image.nrrd",
               "--figure", "f.png", "--names", "1=soleus")
    )  # fmt: skip
    assert "7 of 31 annotated along z" in output
    assert dice("full.seg.nrrd", true, 1) > 0.96
    assert dice("full.seg.nrrd", true, 2) == 1
    assert iio.imread("f.png").ndim == 3
    fine(usfast("labels", "fbs", "truth.seg.nrrd", "-o", "s.nrrd", "--every", "10", "--smooth", "1"))
    assert dice("s.nrrd", true, 1) > 0.9


@pytest.mark.parametrize("command", ["gfs", "ws"])
def test_image_driven(usfast: Run, work: Path, true: np.ndarray, command: str) -> None:
    options = ["--sigma", "0.5"] if command == "ws" else ["--neighbours", "6", "--figure", "f.png"]
    output = fine(
        usfast("labels", command, "image.nrrd", "sparse.nrrd", "-o", "full.nrrd", "--mask", "auto", *options)
    )  # fmt: skip
    assert "seeds" in output
    assert min(dice("full.nrrd", true, 1), dice("full.nrrd", true, 2)) > 0.96
    assert command == "ws" or iio.imread("f.png").ndim == 3


def test_seeds_and_known_voxels(usfast: Run, work: Path, true: np.ndarray) -> None:
    grid = Grid((W, H, FRAMES), 1.0)
    seeds = np.zeros_like(true)
    seeds[15, 16:20, 18:22], seeds[15, 32, 38], seeds[:, 0] = 1, 2, 9
    write_labels(Volume.on(grid, seeds), Path("seeds.nrrd"))
    fine(usfast("labels", "gfs", "image.nrrd", "seeds.nrrd", "-o", "a.nrrd", "--background", "9", "--smooth", "1"))
    assert dice("a.nrrd", true, 1) > 0.95
    known = np.zeros(true.shape, np.uint8)
    known[::5] = 1
    io.write_volume(Volume.on(grid, known), Path("known.nrrd"))
    common = ("labels", "gfs", "image.nrrd", "sparse.nrrd", "-o")
    fine(usfast(*common, "b.nrrd", "--annotated", "known.nrrd"))
    fine(usfast(*common, "c.nrrd"))
    assert (read_labels("b.nrrd").labels.array == read_labels("c.nrrd").labels.array).all()


def test_transfer(usfast: Run, work: Path) -> None:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(1)
    texture = gaussian_filter(rng.standard_normal((24, 28, 32)), 2.5) + 1
    own = np.zeros(texture.shape, np.uint8)
    own[6:18, 8:22, 8:24] = 3
    io.write_volume(Volume(texture.astype(np.float32), 1.0), Path("low.nrrd"))
    io.write_volume(Volume(texture.astype(np.float32), 1.0, origin=(3.0, -2.0, 1.0)), Path("high.nrrd"))
    write_labels(Volume(own, 1.0), Path("low.seg.nrrd"), names={3: "soleus"})
    other = np.where(np.arange(32) > 27, 5, own).astype(np.uint8)
    write_labels(Volume(other, 1.0, origin=(3.0, -2.0, 1.0)), Path("high.seg.nrrd"), names={5: "bone"})
    Path("start.txt").write_text("1 0 0 2\n0 1 0 -2\n0 0 1 1\n0 0 0 1\n")
    output = fine(
        usfast("labels", "transfer", "low.nrrd", "low.seg.nrrd", "high.nrrd", "-o", "new.seg.nrrd", "--metric",
               "correlation", "--initial", "start.txt", "--search-mm", "2", "--search-deg", "0", "--report", "r.json",
               "--figure", "board.png")
    )  # fmt: skip
    assert "soleus" in output and "correlation" in output
    assert dice("new.seg.nrrd", own, 3) > 0.97
    report = json.loads(Path("r.json").read_text())
    np.testing.assert_allclose(np.array(report["source_to_target"])[:3, 3], (3, -2, 1), atol=0.2)
    assert report["correlation"]["after"] > 0.99 > report["correlation"]["before"]
    assert iio.imread("board.png").ndim == 3
    output = fine(
        usfast("labels", "transfer", "low.nrrd", "low.seg.nrrd", "high.nrrd", "-o", "all.seg.nrrd", "--metric",
               "correlation", "--search-mm", "4", "--search-deg", "0", "--target-labels", "high.seg.nrrd",
               "--source-out", "back.seg.nrrd")
    )  # fmt: skip
    assert "Dice of label 3" in output
    assert (read_labels("all.seg.nrrd").labels.array == other).all()
    assert read_labels("back.seg.nrrd").names == {3: "soleus", 5: "bone"}


@pytest.mark.parametrize("method", ["majority", "staple", "simple"])
def test_fuse(usfast: Run, work: Path, true: np.ndarray, method: str) -> None:
    grid = Grid((W, H, FRAMES), 1.0)
    for k in range(3):
        write_labels(Volume.on(grid, np.roll(true, k - 1, 2)), Path(f"rater{k}.nrrd"))
    output = fine(
        usfast("labels", "fuse", "rater0.nrrd", "rater1.nrrd", "rater2.nrrd", "-o", "one.seg.nrrd", "--method", method,
               "--entropy", "doubt.nrrd", "--names", "1=soleus",
               *(["--figure", "f.png"] if method == "staple" else []))
    )  # fmt: skip
    assert "rater2.nrrd" in output and "Dice 1" in output and "soleus" in output
    assert dice("one.seg.nrrd", true, 1) > 0.98
    doubt = io.read_volume(Path("doubt.nrrd")).array
    assert doubt[0, 0, 0] == 0 and 0.9 < doubt.max() <= np.log2(3) + 1e-6
    assert method != "staple" or iio.imread("f.png").ndim == 3


def test_fuse_of_one_structure_tells_sensitivity(usfast: Run, work: Path, true: np.ndarray) -> None:
    grid = Grid((W, H, FRAMES), 1.0)
    for k in range(3):
        write_labels(Volume.on(grid, (np.roll(true, k, 1) == 1) * np.uint8(4)), Path(f"rater{k}.nrrd"))
    output = fine(
        usfast("labels", "fuse", "rater0.nrrd", "rater1.nrrd", "rater2.nrrd", "-o", "one.nrrd", "--method", "staple")
    )
    assert "sensitivity" in output and "specificity" in output
    assert set(np.unique(read_labels("one.nrrd").labels.array)) == {0, 4}


def test_mesh(usfast: Run, work: Path, true: np.ndarray) -> None:
    output = fine(usfast("labels", "mesh", "truth.seg.nrrd", "-o", "leg.ply", "--table", "t.csv"))
    assert "leg-soleus.ply" in output
    assert Path("leg-soleus.ply").read_bytes().startswith(b"ply") and Path("leg-rod.ply").is_file()
    rows = {row["name"]: row for row in csv.DictReader(Path("t.csv").read_text().splitlines())}
    voxels = float(np.count_nonzero(true == 1)) / 1000
    assert float(rows["soleus"]["voxels ml"]) == pytest.approx(voxels, abs=1e-3)
    assert float(rows["soleus"]["mesh ml"]) == pytest.approx(voxels, rel=0.02)
    assert rows["soleus"]["closed"] == "yes"
    fine(usfast("labels", "mesh", "truth.seg.nrrd", "-o", "one.stl", "--label", "2", "--step", "2"))
    assert Path("one.stl").stat().st_size > 84
    fine(usfast("labels", "mesh", "truth.seg.nrrd", "-o", "two.obj", "--label", "1", "--smooth", "0"))
    assert Path("two.obj").read_text().startswith("#")


def test_mesh_names_stay_in_the_folder(usfast: Run, work: Path, true: np.ndarray) -> None:
    write_labels(Volume(true, 1.0), Path("odd.seg.nrrd"), names={1: "../../up", 2: "..%/%up"})
    fine(usfast("labels", "mesh", "odd.seg.nrrd", "-o", "leg.ply", "--step", "4"))
    assert {"leg-1-up.ply", "leg-2-up.ply"} <= {path.name for path in work.iterdir()}


@pytest.mark.parametrize("command", ["zoi", "fbs", "gfs", "ws", "transfer", "fuse", "mesh"])
def test_help_has_an_example(usfast: Run, command: str) -> None:
    assert f"usfast labels {command}" in " ".join(fine(usfast("labels", command, "--help")).split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("zoi sweep.npz -o l.xyz", "labels are written as"),
        ("zoi sweep.npz -o l.nrrd --figure f.xyz", "must end in"),
        ("zoi sweep.npz -o l.nrrd --rule nearest --method spline", "give --rule or --method"),
        ("zoi sweep.npz -o l.nrrd -a drawn.npz -a drawn.npz", "1 sweeps, but 2"),
        ("zoi sweep.npz -o l.nrrd --spacing 0", "must be positive"),
        ("zoi sweep.npz -o l.nrrd --size 4 --spacing 2", "odd"),
        ("zoi sweep.npz -o l.nrrd --names soleus", "1=GM,2=GL"),
        ("zoi plain.igs.mha -o l.nrrd", "the file holds no labels; give them with --annotations"),
        ("zoi plain.igs.mha -o l.nrrd -a nowhere", "no such file or folder"),
        ("zoi plain.igs.mha -o l.nrrd -a empty", "no PNG file"),
        ("zoi plain.igs.mha -o l.nrrd -a empty.seg.nrrd", "empty.seg.nrrd"),
        ("zoi plain.igs.mha -o l.nrrd -a empty.json", "not JSON"),
        ("zoi plain.igs.mha -o l.nrrd -a small.nrrd", "annotations (3, 4, 5)"),
        ("zoi plain.igs.mha -o l.nrrd -a plain.igs.mha", "images, not labels"),
        ("zoi one.npz -o l.nrrd", "at least two annotated frames"),
        ("zoi empty.npz -o l.nrrd", "empty.npz"),
        ("zoi sweep.npz -o sweep.npz", "labels are written as"),
        ("fbs sparse.nrrd -o sparse.nrrd", "would overwrite an input"),
        ("fbs nothing.nrrd -o l.nrrd", "at least two annotated slices"),
        ("fbs sparse.nrrd -o l.nrrd --image image.nrrd", "give --figure too"),
        ("fbs sparse.nrrd -o l.nrrd --image small.nrrd --figure f.png", "voxels"),
        ("fbs image.nrrd -o l.nrrd --axis w", "axis"),
        ("fbs grey.nrrd -o l.nrrd", "not whole numbers"),
        ("fbs large.nrrd -o l.nrrd", "255 at the most"),
        ("fbs empty.nrrd -o l.nrrd", "empty.nrrd"),
        ("fbs gone.nrrd -o l.nrrd", "no such file"),
        ("gfs image.nrrd small.nrrd -o l.nrrd", "voxels"),
        ("gfs image.nrrd nothing.nrrd -o l.nrrd", "nothing to start from"),
        ("gfs image.nrrd sparse.nrrd -o l.nrrd --background 7", "no voxel has the background's label 7"),
        ("gfs image.nrrd sparse.nrrd -o l.nrrd --background 2 --annotated image.nrrd", "leave out --annotated"),
        ("gfs image.nrrd sparse.nrrd -o l.nrrd --neighbours 8", "6 or 26"),
        ("gfs image.nrrd sparse.nrrd -o l.nrrd --mask small.nrrd", "voxels"),
        ("gfs nan.nrrd sparse.nrrd -o l.nrrd", "NaN"),
        ("ws image.nrrd sparse.nrrd -o l.nrrd --sigma -1", "sigma must be positive"),
        ("ws gone.nrrd sparse.nrrd -o l.nrrd", "no such file"),
        ("transfer image.nrrd sparse.nrrd nothing.nrrd -o l.nrrd", "nothing.nrrd holds no data"),
        ("transfer image.nrrd sparse.nrrd image.nrrd -o l.nrrd --initial empty.txt", "0 numbers"),
        ("transfer image.nrrd sparse.nrrd image.nrrd -o l.nrrd --initial mirror.txt", "must be rigid"),
        ("transfer image.nrrd sparse.nrrd image.nrrd -o l.nrrd --report r.txt", "must end in .json"),
        ("transfer image.nrrd sparse.nrrd image.nrrd -o l.nrrd --source-out s.nrrd", "give --target-labels"),
        ("fuse sparse.nrrd -o l.nrrd", "two annotators"),
        ("fuse sparse.nrrd small.nrrd -o l.nrrd", "small.nrrd has"),
        ("fuse sparse.nrrd truth.seg.nrrd -o l.nrrd --method simple", "3"),
        ("fuse nothing.nrrd nothing.nrrd -o l.nrrd --method staple", "all label maps are empty"),
        ("fuse sparse.nrrd grey.nrrd -o l.nrrd", "not whole numbers"),
        ("fuse sparse.nrrd truth.seg.nrrd -o l.nrrd --entropy e.txt", "must end in"),
        ("mesh truth.seg.nrrd -o leg.vtk", "meshes are written as"),
        ("mesh truth.seg.nrrd -o leg.ply --label 7", "no voxel has the label 7"),
        ("mesh nothing.nrrd -o leg.ply", "nothing to mesh"),
        ("mesh truth.seg.nrrd -o leg.ply --table t.txt", "must end in .csv"),
        ("mesh truth.seg.nrrd -o leg.ply --step 99", "step must be"),
    ],
)
def test_refusals(usfast: Run, work: Path, true: np.ndarray, swept: Sweep, arguments: str, words: str) -> None:
    grid = Grid((W, H, FRAMES), 1.0)
    Path("empty").mkdir()
    for name in ("empty.nrrd", "empty.seg.nrrd", "empty.json", "empty.npz", "empty.txt"):
        Path(name).write_bytes(b"")
    Path("mirror.txt").write_text("-1 0 0 0  0 1 0 0  0 0 1 0  0 0 0 1")
    only = np.where(np.arange(FRAMES)[:, None, None] == 3, true, 0).astype(np.uint8)
    io.write_sweep(replace(swept, labels=only), Path("one.npz"))
    for name, array in {
        "nothing": np.zeros_like(true),
        "grey": true + np.float32(0.5),
        "large": true.astype(np.uint16) * 300,
        "nan": np.where(true == 1, np.nan, true).astype(np.float32),
        "small": np.ones((3, 4, 5), np.uint8),
    }.items():
        io.write_volume(Volume(array, 1.0) if name == "small" else Volume.on(grid, array), Path(f"{name}.nrrd"))
    before = {path.name: path.stat().st_mtime_ns for path in work.iterdir()}
    result = usfast("labels", *arguments.split())
    assert result.exit_code == 2, result.output
    assert words in " ".join(result.output.split())
    assert {path.name: path.stat().st_mtime_ns for path in work.iterdir()} == before


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_an_interrupt_leaves_nothing(work: Path) -> None:
    """Ctrl-C while the labels are made: one line, status 130, no file and no draft."""
    slow = (
        "import time, usfast.labels as labels\n"
        "def wait(*_, **__):\n"
        "    print('waiting', flush=True)\n"
        "    time.sleep(60)\n"
        "labels.interpolate = wait\n"
        "from usfast.cli.app import run\n"
        "run()\n"
    )
    command = [sys.executable, "-c", slow, "labels", "zoi", "sweep.npz", "-o", "l.nrrd"]
    before = {path.name for path in work.iterdir()}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, ""), err
    assert err.count("\n") == 1 and "interrupted" in err
    assert {path.name for path in work.iterdir()} == before
