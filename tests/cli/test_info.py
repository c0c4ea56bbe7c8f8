import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from usfast import Sweep, Volume, io

Run = Callable[..., Any]


def _json(usfast: Run, *args: object) -> dict[str, Any]:
    result = usfast("info", "--json", *args)
    assert result.exit_code == 0, result.output
    facts: dict[str, Any] = json.loads(result.output)
    return facts


def test_a_sweep_in_numbers(usfast: Run, sweep_file: Path) -> None:
    facts = _json(usfast, sweep_file)
    assert (facts["kind"], facts["frames"], facts["valid_frames"]) == ("sweep", 8, 7)
    assert facts["image_size"] == [32, 24] and facts["dtype"] == "uint8"
    assert facts["pixel_spacing_mm"] == pytest.approx([0.5, 0.5])
    assert facts["extent_mm"] == pytest.approx([15.5, 11.5, 7.0])
    assert facts["path_length_mm"] == pytest.approx(7.0)
    assert facts["frame_rate_hz"] == pytest.approx(10.0)
    assert facts["duration_s"] == pytest.approx(0.7)
    assert facts["transforms"]["ImageToReference"]["OK"] == 7
    assert facts["warnings"] == ["1 of 8 frames have no usable ImageToReference"]


def test_a_sweep_in_words(usfast: Run, sweep_file: Path) -> None:
    output = usfast("info", sweep_file).output
    said = ["8, 7 with a valid pose", "32 x 24 pixels", "0.5 x 0.5 mm", "15.5 x 11.5 x 7 mm"]
    said += ["OK in 7 frames", "INVALID in 1 frames", "10 frames a second", "warning: 1 of 8", str(sweep_file)]
    assert [text for text in said if text not in output] == []


def _unscaled(sweep: Sweep) -> Sweep:
    poses = sweep.image_to_world.copy()
    poses[:, :3, :3] = np.eye(3)
    return replace(sweep, image_to_world=poses)


def _jumping(sweep: Sweep) -> Sweep:
    poses = sweep.image_to_world.copy()
    poses[4:, 0, 3] += 80
    return replace(sweep, image_to_world=poses)


def _metres(sweep: Sweep) -> Sweep:
    poses = sweep.image_to_world.copy()
    poses[:, :3] /= 1000
    return replace(sweep, image_to_world=poses)


def _sheared(sweep: Sweep) -> Sweep:
    poses = sweep.image_to_world.copy()
    poses[:, 0, 1] = 0.2
    return replace(sweep, image_to_world=poses)


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        (_unscaled, "image-to-probe has no scale"),
        (_jumping, "1 jumps of the probe, the largest 80 mm after frame 3"),
        (_metres, "are the units mm?"),
        (_sheared, "degrees apart instead of 90"),
        (lambda s: replace(s, timestamps=-s.timestamps), "timestamps do not increase in 7 of 7 steps"),
        (lambda s: replace(s, timestamps=np.r_[0:7, 90]), "1 pauses of more than 10 frames"),
        (lambda s: replace(s, valid=np.zeros(8, bool)), "no frame has a valid pose"),
        (lambda s: s, "1 of 8 frames have no"),
    ],
)
@pytest.mark.parametrize("suffix", [".npz", ".igs.mha"])
def test_warnings(
    usfast: Run,
    small_sweep: Sweep,
    tmp_path: Path,
    change: Callable[[Sweep], Sweep],
    warning: str,
    suffix: str,
) -> None:
    io.write_sweep(change(small_sweep), tmp_path / f"a{suffix}")
    warnings = _json(usfast, tmp_path / f"a{suffix}")["warnings"]
    assert any(warning in text for text in warnings), warnings


def test_a_good_sweep_has_no_warnings(usfast: Run, small_sweep: Sweep, tmp_path: Path) -> None:
    io.write_sweep(replace(small_sweep, valid=np.ones(8, bool)), tmp_path / "a.npz")
    assert _json(usfast, tmp_path / "a.npz")["warnings"] == []


def test_no_chain_is_a_warning_that_names_the_option(usfast: Run, data_dir: Path) -> None:
    sweep = data_dir / "tracked" / "plus_spine" / "SpinePhantomFreehand.igs.mha"
    (warning,) = _json(usfast, sweep)["warnings"]
    assert warning.startswith("no poses: no path of transforms") and "-c" in warning
    (config,) = sweep.parent.glob("*.xml")
    facts = _json(usfast, sweep, "-c", config)
    assert facts["valid_frames"] == 21 and facts["warnings"] == []


def test_a_recording_of_poses(usfast: Run, data_dir: Path) -> None:
    name = "EightLandmarkPointsTrackedForPhantomRegistration.igs.mha"
    facts = _json(usfast, data_dir / "tracked" / "plus_fcal" / name)
    assert (facts["kind"], facts["frames"]) == ("poses", 1000)
    assert "the recording has no images" in facts["warnings"]


def test_a_volume(usfast: Run, tmp_path: Path) -> None:
    array = np.zeros((4, 5, 6), np.float32)
    array[0, 0, :3] = 1, 2, np.nan
    path = tmp_path / "v.nrrd"
    io.write_volume(Volume(array, (0.5, 0.6, 0.7), (1, 2, 3), [[0, 1, 0], [1, 0, 0], [0, 0, 1]]), path)
    facts = _json(usfast, path)
    assert (facts["kind"], facts["size"], facts["range"]) == ("volume", [6, 5, 4], [0.0, 2.0])
    assert facts["spacing_mm"] == pytest.approx([0.5, 0.6, 0.7])
    assert facts["nonzero"] == pytest.approx(2 / 120)
    assert facts["warnings"] == ["1 voxels are not finite numbers"]
    output = usfast("info", path).output
    for said in ("6 x 5 x 4 voxels", "0.5 x 0.6 x 0.7 mm", "(0, 1, 0) (1, 0, 0) (0, 0, 1)", "0 to 2", "1.7%"):
        assert said in output


def test_an_empty_volume_of_no_geometry(usfast: Run, tmp_path: Path) -> None:
    io.write_volume(Volume(np.zeros((2, 2, 2), np.uint8), 1.0), tmp_path / "v.mha")
    assert len(_json(usfast, tmp_path / "v.mha")["warnings"]) == 2
