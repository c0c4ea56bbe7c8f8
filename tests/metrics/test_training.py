"""The metrics of a training loop: NumPy arrays everywhere, tensors where torch is installed."""

import subprocess
import sys

import numpy as np
import pytest

from usfast.metrics import overlap, surface
from usfast.metrics.training import MonaiStyleMetric, TorchmetricsStyleMetric


def batch(seed=0, shape=(3, 3, 9, 10), dtype=np.uint8):
    """One-hot (pred, ref) of random labels."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, shape[1], (2, shape[0], *shape[2:]))
    return [np.stack([one == c for c in range(shape[1])], axis=1).astype(dtype) for one in labels]


@pytest.mark.parametrize("shape", [(3, 3, 9, 10), (2, 2, 5, 6, 7)])
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float32, np.float16])
def test_values_are_those_of_surface_and_overlap(shape, dtype):
    pred, ref = batch(shape=shape, dtype=dtype)
    spacing = (2.0, 1.0, 0.5)[: len(shape) - 2]
    measures = ["hd", "hd95", "hd50", "assd", "masd", "asd_pred_to_ref", "asd_ref_to_pred", "nsd", "dice", "miss_rate"]
    values = MonaiStyleMetric(measures, spacing=spacing)(pred, ref)
    assert {value.shape for value in values.values()} == {(shape[0], shape[1] - 1)}
    for b, c in np.ndindex(values["hd"].shape):
        masks = pred[b, c + 1] != 0, ref[b, c + 1] != 0
        s, o = surface(*masks, spacing, percentiles=(95, 50)), overlap(*masks)
        assert values["hd95"][b, c] == s.hd_percentile[95]
        assert values["hd50"][b, c] == s.hd_percentile[50]
        assert values["nsd"][b, c] == s.nsd[1.0]
        for name in ("hd", "assd", "masd", "asd_pred_to_ref", "asd_ref_to_pred"):
            assert values[name][b, c] == getattr(s, name)
        assert (values["dice"][b, c], values["miss_rate"][b, c]) == (o.dice, o.miss_rate)


def test_batches_gather_until_reset():
    first, second = batch(0), batch(1, (2, 3, 9, 10))
    metric = MonaiStyleMetric("dice", reduction="none")
    values = np.concatenate([metric(*first), metric(*second)])
    np.testing.assert_array_equal(metric.aggregate(), values)
    np.testing.assert_allclose(metric.aggregate("mean_batch"), values.mean(axis=0))
    assert metric.aggregate("mean") == pytest.approx(values.mean())
    metric.reset()
    metric(*second)
    assert len(metric.aggregate()) == 2


def test_torchmetrics_style_is_the_same():
    first, second = batch(0), batch(1)
    one, other = MonaiStyleMetric(["assd", "iou"]), TorchmetricsStyleMetric(["assd", "iou"])
    one(*first)
    other.update(*first)
    alone = other(*second)
    one(*second)
    assert other.compute() == one.aggregate()
    one.reset()
    one(*second)
    assert alone == one.aggregate()


def test_nan_does_not_count_and_infinite_does():
    empty = np.zeros((1, 1, 6, 6), bool)
    full = ~empty
    metric = MonaiStyleMetric(["hd", "dice"], reduction="mean")
    metric(full, full)
    metric(empty, empty)
    assert metric.aggregate() == {"hd": 0, "dice": 1}
    metric(empty, full)
    assert metric.aggregate() == {"hd": np.inf, "dice": 0.5}
    metric.reset()
    metric(empty, empty)
    assert np.isnan(metric.aggregate()["hd"])
    worst = MonaiStyleMetric("hd", empty="worst")
    worst(empty, full)
    assert worst.aggregate() == pytest.approx(np.hypot(5, 5))


def test_mean_is_over_classes_then_cases():
    ref = np.zeros((2, 2, 4, 4), bool)
    ref[0, :, :2] = ref[1, 0, :2] = True  # class 1 is empty in the second case
    pred = ref.copy()
    pred[0, 1, 0] = False
    metric = MonaiStyleMetric("dice", include_background=True)
    np.testing.assert_allclose(metric(pred, ref), [[1, 2 / 3], [1, np.nan]])
    assert metric.aggregate() == pytest.approx((5 / 6 + 1) / 2)
    np.testing.assert_allclose(metric.aggregate("mean_batch"), [1, 2 / 3])


def test_spacing_of_every_sample_and_tolerance_of_every_class():
    ref = np.zeros((2, 3, 12, 12), bool)
    ref[:, :, 3:9, 3:9] = True
    pred = np.roll(ref, 2, axis=-1)
    metric = MonaiStyleMetric(["hd", "nsd"], tolerances=(0.1, 1.0))
    values = metric(pred, ref, spacing=[[0.5], [2.0]])
    assert values["hd"].tolist() == [[1, 1], [4, 4]]
    assert values["nsd"][0, 1] == 1 > values["nsd"][0, 0]
    assert metric(pred, ref, spacing=[[1, 0.5], [1, 1]])["hd"].tolist() == [[1, 1], [2, 2]]
    assert metric(pred, ref, spacing=(1, 0.25))["hd"].tolist() == [[0.5, 0.5]] * 2


def test_a_single_channel_is_the_structure():
    pred, ref = batch(shape=(2, 1, 5, 5))
    assert MonaiStyleMetric("dice")(pred, ref).shape == (2, 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p, r: MonaiStyleMetric("hausdorff"), "not 'hausdorff'"),
        (lambda p, r: MonaiStyleMetric("hd101"), "not 'hd101'"),
        (lambda p, r: MonaiStyleMetric([]), "names no measure"),
        (lambda p, r: MonaiStyleMetric("hd", reduction="sum"), "reduction must be one of mean"),
        (lambda p, r: MonaiStyleMetric("dice", empty="nan"), "empty: no measure here"),
        (lambda p, r: MonaiStyleMetric("dice").aggregate(), "no batch was measured yet"),
        (lambda p, r: TorchmetricsStyleMetric("dice").compute(), "no batch was measured yet"),
        (lambda p, r: MonaiStyleMetric("dice")(p, r[:2]), r"y_pred has shape \(3, 3, 9, 10\), but y \(2, 3, 9, 10\)"),
        (lambda p, r: MonaiStyleMetric("dice")(p[0], r[0]), "must be one-hot"),
        (lambda p, r: MonaiStyleMetric("dice")(p * 0.5, r), "y_pred must be one-hot, 0 and 1"),
        (lambda p, r: MonaiStyleMetric("dice")(p, r * 2), "y must be one-hot, 0 and 1"),
        (lambda p, r: MonaiStyleMetric("hd")(p, r, spacing=np.ones((2, 2))), "spacing of 3 samples must have 3 rows"),
        (lambda p, r: MonaiStyleMetric("nsd", tolerances=[1, 2, 3])(p, r), "one number or 2, one for each class"),
        (lambda p, r: MonaiStyleMetric("hd", empty="never")(p, r), "empty must be one of"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(*batch())


def test_other_numbers_of_classes():
    metric = MonaiStyleMetric("dice")
    metric(*batch())
    with pytest.raises(ValueError, match="this batch has 1 classes, but earlier ones 2"):
        metric(*batch(shape=(3, 2, 9, 10)))


def test_torch_is_not_imported():
    code = (
        "import sys, numpy as np; from usfast.metrics.training import MonaiStyleMetric as M;"
        "M('dice')(np.ones((1, 1, 2, 2), bool), np.ones((1, 1, 2, 2), bool)); print('torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason='needs torch: pip install "usfast[learn]"')


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float32", "bfloat16"])
def test_tensors_give_tensors(torch, dtype):
    pred, ref = batch()
    tensors = [torch.from_numpy(one).to(getattr(torch, dtype)) for one in (pred, ref)]
    if tensors[0].is_floating_point():
        tensors[0].requires_grad_()
    ours, theirs = MonaiStyleMetric(["hd95", "dice"]), MonaiStyleMetric(["hd95", "dice"])
    found, expected = ours(*tensors), theirs(pred, ref)
    for name, value in found.items():
        assert value.dtype == torch.float32
        assert not value.requires_grad
        np.testing.assert_allclose(value.numpy(), expected[name], rtol=1e-6)
    assert ours.aggregate()["dice"].item() == pytest.approx(theirs.aggregate()["dice"])
    assert TorchmetricsStyleMetric("dice")(*tensors).shape == ()


@pytest.mark.parametrize("dtype", ["bool", "uint8"])
def test_masks_of_tensors_are_read_in_place(torch, dtype, monkeypatch):
    from usfast.metrics import training

    seen = []
    real = training.overlap
    monkeypatch.setattr(training, "overlap", lambda *args, **kw: seen.append(args[0]) or real(*args, **kw))
    pred, ref = (torch.from_numpy(one).to(getattr(torch, dtype)) for one in batch())
    MonaiStyleMetric("dice", include_background=True)(pred, ref)
    whole = pred.numpy()
    assert len(seen) == 9
    assert all(np.shares_memory(mask, whole) for mask in seen)


def test_a_metric_keeps_no_batch_alive(torch):
    import gc
    import weakref

    pred, ref = (torch.from_numpy(one) for one in batch())
    gone = weakref.ref(pred)
    metric = MonaiStyleMetric("dice")
    metric(pred, ref)
    del pred
    gc.collect()
    assert gone() is None
    assert metric.aggregate().ndim == 0


def test_a_gpu_gets_its_values_back(torch):
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    pred, ref = (torch.from_numpy(one).cuda() for one in batch())
    metric = MonaiStyleMetric("hd95")
    assert metric(pred, ref).device == pred.device
    assert metric.aggregate().device == pred.device


@pytest.mark.filterwarnings("ignore")  # MONAI's own
@pytest.mark.parametrize("reduction", ["mean", "mean_batch", "none"])
@pytest.mark.parametrize("include_background", [False, True])
def test_values_and_reductions_are_monais(torch, reduction, include_background):
    monai = pytest.importorskip("monai.metrics", reason="needs MONAI")
    pred, ref = (torch.from_numpy(one) for one in batch(shape=(3, 3, 12, 12)))
    pred[1, 2] = ref[1, 2] = 0  # nothing to measure: NaN
    options = {"include_background": include_background, "reduction": reduction}
    peers = {
        "hd": monai.HausdorffDistanceMetric(**options),
        "hd95": monai.HausdorffDistanceMetric(percentile=95, **options),
        "assd": monai.SurfaceDistanceMetric(symmetric=True, **options),
        "nsd": monai.SurfaceDiceMetric([1.0] * (2 + include_background), **options),
        "dice": monai.DiceMetric(**options),
        "iou": monai.MeanIoU(**options),
    }
    spacing = {"hd": (2.0, 0.5), "hd95": (2.0, 0.5), "assd": (2.0, 0.5), "nsd": (2.0, 0.5)}
    ours = MonaiStyleMetric(list(peers), **options)
    for first, last in ((0, 2), (2, 3)):
        found = ours(pred[first:last], ref[first:last], spacing=(2.0, 0.5))
        for name, peer in peers.items():
            more = {"spacing": spacing[name]} if name in spacing else {}
            expected = peer(pred[first:last].float(), ref[first:last].float(), **more)
            np.testing.assert_allclose(found[name], expected, rtol=1e-6, atol=1e-6)
    for name, peer in peers.items():
        np.testing.assert_allclose(ours.aggregate()[name], peer.aggregate(), rtol=1e-6, atol=1e-6)
