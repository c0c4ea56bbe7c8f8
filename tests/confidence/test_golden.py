"""Confidence maps against published figures and a reference in extended precision."""

import imageio.v3 as iio
import numpy as np
import pytest

from usfast.confidence import confidence_map


def relative(found, true):
    known = true > 0
    assert not found[~known].any()
    return np.abs(found[known] / true[known] - 1).max()


@pytest.mark.parametrize(("precision", "tolerance"), [("double", 1e-7), ("single", 5e-6)])
def test_femur(data_dir, precision, tolerance):
    folder = data_dir / "confmap" / "monai"
    image = iio.imread(folder / "femur_input.png")
    image = image if image.ndim == 2 else image[..., 0]
    found = confidence_map(image, alpha=2, beta=90, gamma=0.06, precision=precision)
    assert np.abs(found - np.load(folder / "femur_result.npy")).max() <= tolerance


@pytest.mark.parametrize("sink_mode", ["all", "mid", "min", "mask"])
def test_sink_modes(data_dir, sink_mode):
    arrays = np.load(data_dir / "confmap" / "monai" / "monai_10x10.npz")
    sinks = arrays["test_mask"] != 0 if sink_mode == "mask" else None
    found = confidence_map(arrays["test_input"], 2, 90, 0.05, sink_mode=sink_mode, sinks=sinks)
    assert np.abs(found - arrays[f"sink_{sink_mode}_output"]).max() <= 1e-7


@pytest.mark.parametrize("gamma", [0.05, 0.0])
@pytest.mark.parametrize("sink_mode", ["all", "mid"])
def test_extended_precision(data_dir, sink_mode, gamma):
    arrays = np.load(data_dir / "confmap" / "exact" / "plus_bone_48x36_exact.npz")
    true = arrays[f"ref_{sink_mode}_g{gamma}"]
    assert relative(confidence_map(arrays["image"], gamma=gamma, sink_mode=sink_mode), true) <= 1e-13
    single = confidence_map(arrays["image"], gamma=gamma, sink_mode=sink_mode, precision="single")
    assert relative(single, true) <= 4e-6
