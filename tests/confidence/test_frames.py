from typing import Any

import numpy as np
import pytest

from usfast import Sweep
from usfast.confidence import confidence_map
from usfast.confidence.attenuation import attenuation_map
from usfast.confidence.directed import directed_map
from usfast.confidence.frames import frame_maps, sweep_weights


def _frames(count: int = 35) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 12, 10), np.uint8)


@pytest.mark.parametrize(
    ("method", "function", "settings"),
    [
        ("random_walk", confidence_map, {"gamma": 0.06}),
        ("directed", directed_map, {"alpha": 2.0}),
        ("attenuation", attenuation_map, {"width": 3}),
    ],
)
def test_blocks_change_nothing(method: str, function: Any, settings: dict[str, Any]) -> None:
    frames, seen = _frames(), []
    found = frame_maps(frames, method, progress=lambda *done: seen.append(done), **settings)
    assert found.dtype == np.float32 and seen == [(16, 35), (32, 35), (35, 35)]
    np.testing.assert_array_equal(found, function(frames, **settings).astype(np.float32))


@pytest.mark.parametrize("method", ["random_walk", "directed", "attenuation"])
def test_nothing_outside_of_the_mask(method: str) -> None:
    mask = np.zeros((12, 10), bool)
    mask[1:9, 2:7] = True
    found = frame_maps(_frames(3), method, mask=mask)
    assert np.isfinite(found).all() and (found[:, ~mask] == 0).all() and (found[:, 2:7, 2:7] > 0).all()


def test_a_mask_with_one_sink() -> None:
    mask = np.zeros((12, 10), bool)
    mask[1:9, 2:7] = True
    frames = _frames(3)
    found = frame_maps(frames, mask=mask, sink_mode="mid")
    np.testing.assert_allclose(found[:, 1:9, 2:7], confidence_map(frames[:, 1:9, 2:7], sink_mode="mid"), atol=1e-6)


def test_weights_of_frames_without_a_pose_are_0() -> None:
    frames = _frames(6)
    poses = np.tile(np.eye(4), (6, 1, 1))
    whole = sweep_weights(Sweep(frames, poses))
    valid = np.array([True, False, True, True, False, True])
    found = sweep_weights(Sweep(frames, poses, valid=valid))
    np.testing.assert_array_equal(found[valid], whole[valid])
    assert found[~valid].max() == 0
    assert sweep_weights(Sweep(frames, poses, valid=np.zeros(6, bool))).max() == 0


def test_wrong_arguments() -> None:
    for frames in (np.zeros((3, 4)), np.zeros((0, 3, 4))):
        with pytest.raises(ValueError, match="frames"):
            frame_maps(frames)
    with pytest.raises(ValueError, match="method"):
        frame_maps(_frames(1), "magic")
    with pytest.raises(ValueError, match="mask"):
        frame_maps(_frames(1), mask=np.ones((3, 3)))
    with pytest.raises(TypeError, match="progress"):
        frame_maps(_frames(1), progress=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="sweep"):
        sweep_weights(_frames(1))  # type: ignore[arg-type]
