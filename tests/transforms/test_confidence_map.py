from pathlib import Path
from typing import Any

import numpy as np
import pytest

from usfast.confidence import confidence_map
from usfast.transforms import UltrasoundConfidenceMap, UltrasoundConfidenceMapd


def _image(shape: tuple[int, ...] = (1, 14, 12), dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(4).integers(0, 256, shape).astype(dtype)


def test_the_map_takes_the_place_of_the_image() -> None:
    image = _image()
    expected = confidence_map(image[0], 1.5, 80.0, 0.07)
    found = UltrasoundConfidenceMap(1.5, 80.0, 0.07, use_cg=True, cg_tol=1e-3, cg_maxiter=5)(image)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(UltrasoundConfidenceMap(1.5, 80.0, 0.07, keep_channel=True)(image)[0], expected)


def test_colours_are_averaged() -> None:
    image = _image((1, 3, 14, 12))
    np.testing.assert_array_equal(UltrasoundConfidenceMap()(image), confidence_map(image[0].mean(axis=0)))


def test_golden_sinks(data_dir: Path) -> None:
    path = data_dir / "confmap" / "monai" / "monai_10x10.npz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    with np.load(path) as golden:
        arrays = dict(golden)
    constants = [float(arrays[name]) for name in ("alpha", "beta", "gamma")]
    for mode in ("all", "mid", "min", "mask"):
        transform = UltrasoundConfidenceMap(*constants, sink_mode=mode)
        found = transform(arrays["test_input"][None], arrays["test_mask"][None] if mode == "mask" else None)
        np.testing.assert_allclose(found, arrays[f"sink_{mode}_output"], atol=1e-6)


def test_samples_keep_everything_else() -> None:
    sample = {"image": _image(), "label": _image(), "id": 7}
    found = UltrasoundConfidenceMapd(["image", "other"], allow_missing_keys=True)(sample)
    np.testing.assert_array_equal(found["image"], UltrasoundConfidenceMap()(sample["image"]))
    assert found["label"] is sample["label"] and found["id"] == 7
    assert sample["image"].shape == (1, 14, 12)  # the sample itself is untouched


def test_samples_with_sinks() -> None:
    mask = np.zeros((1, 14, 12), bool)
    mask[0, 9, 3:6] = True
    transform = UltrasoundConfidenceMapd("image", sink_mode="mask", mask_key="sinks")
    found = transform({"image": _image(), "sinks": mask})["image"]
    assert (found[9, 3:6] == 0).all() and (found[0] == 1).all()
    with pytest.raises(KeyError, match="sinks"):
        transform({"image": _image()})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"mode": "M"}, "mode"), ({"sink_mode": "top"}, "sink_mode")],
)
def test_wrong_names(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        UltrasoundConfidenceMap(**arguments)


def test_wrong_images() -> None:
    transform = UltrasoundConfidenceMap()
    for shape in ((14, 12), (3, 14, 12), (1, 2, 3, 4, 5)):
        with pytest.raises(ValueError, match="shape"):
            transform(_image(shape))
    with pytest.raises(TypeError, match="list"):
        transform([[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="finite"):
        transform(np.full((1, 4, 4), np.nan))


def test_wrong_masks() -> None:
    transform = UltrasoundConfidenceMap(sink_mode="mask")
    with pytest.raises(ValueError, match="needs a mask"):
        transform(_image())
    with pytest.raises(ValueError, match="mask must have shape"):
        transform(_image(), np.ones((1, 3, 3)))
    with pytest.raises(ValueError, match="mask_key"):
        UltrasoundConfidenceMapd("image", sink_mode="mask")
    with pytest.raises(ValueError, match="keys"):
        UltrasoundConfidenceMapd([])
    with pytest.raises(KeyError, match="'image'"):
        UltrasoundConfidenceMapd("image")({"label": _image()})
