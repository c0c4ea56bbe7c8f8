"""Tensors stay tensors, and MONAI's own transform gives the same values."""

from typing import Any

import numpy as np
import pytest

from usfast.transforms import (
    ConfidenceChannel,
    ConfidenceChanneld,
    UltrasoundConfidenceMap,
    UltrasoundConfidenceMapd,
)

torch = pytest.importorskip("torch")


def _image(shape: tuple[int, ...] = (1, 24, 20), seed: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).random(shape).astype(np.float32)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float16", "bfloat16", "float32", "float64"])
def test_tensors_stay_tensors(dtype: str) -> None:
    image = torch.from_numpy(_image() * 255).to(getattr(torch, dtype))
    found = UltrasoundConfidenceMap()(image)
    assert type(found) is torch.Tensor and found.dtype == torch.float64 and found.shape == (24, 20)
    np.testing.assert_array_equal(found.numpy(), UltrasoundConfidenceMap()(image.double().numpy()))
    assert ConfidenceChannel()(image).shape == (2, 24, 20)


def test_gradients_are_cut() -> None:
    image = torch.from_numpy(_image()).requires_grad_()
    assert not UltrasoundConfidenceMap()(image).requires_grad


class TestMonai:
    @pytest.fixture(autouse=True)
    def monai(self) -> Any:
        return pytest.importorskip("monai.transforms")

    @pytest.mark.parametrize("sink_mode", ["all", "mid", "min", "mask"])
    @pytest.mark.parametrize("mode", ["B", "RF"])
    def test_same_values(self, monai: Any, mode: str, sink_mode: str) -> None:
        arguments = {"alpha": 1.7, "beta": 95.0, "gamma": 0.04, "mode": mode, "sink_mode": sink_mode}
        mask = np.zeros((1, 24, 20), np.float32)
        mask[0, 18, 4:9] = 1
        theirs, ours = monai.UltrasoundConfidenceMapTransform(**arguments), UltrasoundConfidenceMap(**arguments)
        for image in (_image(), _image() * 1e4 - 300, (_image() * 255).astype(np.uint8), _image((1, 3, 24, 20))):
            for kind in (np.asarray, torch.from_numpy):
                expected, found = theirs(kind(image), kind(mask)), ours(kind(image), kind(mask))
                assert type(found) is type(expected) and found.dtype == expected.dtype
                np.testing.assert_allclose(found, expected, atol=1e-6)

    def test_same_errors(self, monai: Any) -> None:
        for make in (monai.UltrasoundConfidenceMapTransform, UltrasoundConfidenceMap):
            with pytest.raises(ValueError):
                make(mode="X")
            with pytest.raises(ValueError):
                make(sink_mode="X")
            with pytest.raises(ValueError):
                make(sink_mode="mask")(_image())
            with pytest.raises(ValueError):
                make()(_image((2, 24, 20)))

    def test_metadata_stays(self, monai: Any) -> None:
        from monai.data import MetaTensor

        image = MetaTensor(torch.from_numpy(_image()), meta={"patient": 3, "affine": 2 * torch.eye(4)})
        for found in (UltrasoundConfidenceMap()(image), ConfidenceChannel()(image)):
            assert isinstance(found, MetaTensor) and found.meta["patient"] == 3
            np.testing.assert_array_equal(found.affine, image.affine)

    def test_in_a_compose(self, monai: Any) -> None:
        from monai.data import MetaTensor

        pipeline = monai.Compose(
            [
                monai.ToTensord(["image", "label"], track_meta=True),
                UltrasoundConfidenceMapd("other", allow_missing_keys=True),
                ConfidenceChanneld("image"),
                monai.RandFlipd(["image", "label"], prob=1.0, spatial_axis=1),
                monai.ScaleIntensityd("label"),
            ]
        )
        image = _image()
        found = pipeline({"image": image, "label": _image()})["image"]
        assert isinstance(found, MetaTensor) and found.shape == (2, 24, 20)
        expected = UltrasoundConfidenceMap()(image)
        np.testing.assert_allclose(found[1].numpy()[:, ::-1], expected, atol=1e-6)
        alone = monai.Compose([UltrasoundConfidenceMap(keep_channel=True), monai.Resize((12, 10))])
        assert alone(image).shape == (1, 12, 10)
