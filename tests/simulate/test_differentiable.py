"""The differentiable renderer: its forward model, its gradients, what can be learned through it."""

from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason='needs torch: pip install "usfast[learn]"')

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from reference import differentiable as reference  # noqa: E402

from usfast.errors import GeometryError  # noqa: E402
from usfast.simulate.differentiable import Rays, Scatterers, TissueTable, UltrasoundRenderer  # noqa: E402

LINEAR = Rays.linear((14, 11), width=9.0, depth=12.0)
CONVEX = Rays.convex((14, 12), radius=20.0, opening_deg=50.0, depth=18.0, lines=9, samples=12)
TINY = [Rays.linear((9, 8), 7.0, 8.0), Rays.convex((9, 9), 20.0, 40.0, 12.0, lines=7, samples=8)]
GEOMETRIES = pytest.mark.parametrize("rays", [LINEAR, CONVEX], ids=["linear", "convex"])
PARAMETERS = ("attenuation", "impedance", "mu0", "mu1", "sigma0", "reflection", "psf")


@pytest.fixture(autouse=True)
def one_thread():
    """Threads cost more than they give on images this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def table(count=3):
    rng = np.random.default_rng(count)
    return TissueTable(
        tuple(f"t{c}" for c in range(count)),
        rng.uniform(0.1, 2, count),
        rng.uniform(1.2, 3, count),
        rng.uniform(0.05, 0.5, count),
        rng.uniform(0.2, 0.9, count),
        rng.uniform(0.02, 0.2, count),
    )


def small(rays, **options):
    return UltrasoundRenderer(table(), rays, psf_mm=(1.0, 1.2), dtype=torch.float64, **options)


def probabilities(rays, batch=1, count=3, seed=0):
    scores = torch.randn(batch, count, *rays.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.softmax(scores, dim=1)


def layers(shape, *starts):
    """Labels 0, 1, 2, ... that begin at given rows."""
    labels = torch.zeros(shape, dtype=torch.int64)
    for label, start in enumerate(starts, 1):
        labels[start:] = label
    return labels


def by_reference(renderer, image, drawn):
    values = {name: value.detach().numpy() for name, value in renderer.values().items()}
    return reference.render(
        image.numpy(),
        [field.numpy() for field in drawn],
        renderer.rays,
        values,
        [int(np.ceil(4 * mm / s)) for mm, s in zip((1.0, 1.2), spacing(renderer.rays), strict=True)],
        frequency=renderer.frequency,
        tgc=renderer.tgc,
        dynamic_range_db=renderer.dynamic_range_db,
        specularity=renderer.specularity,
    )


def spacing(rays):
    return rays.step, rays.pitch[rays.samples // 2]


@GEOMETRIES
@settings(max_examples=8, deadline=None)
@given(
    seed=st.integers(0, 1000),
    frequency=st.floats(1, 15),
    tgc=st.floats(0, 10),
    dynamic_range_db=st.floats(20, 100),
    specularity=st.floats(2, 12),
)
def test_forward_model_is_the_reference(rays, seed, frequency, tgc, dynamic_range_db, specularity):
    renderer = small(
        rays, frequency=frequency, tgc=tgc, dynamic_range_db=dynamic_range_db, specularity=specularity, seed=seed
    )
    given_probabilities = probabilities(rays, batch=2, seed=seed)
    drawn = renderer.draw(2, torch.Generator().manual_seed(seed))
    images = renderer(given_probabilities, scatterers=drawn).detach().numpy()
    for k in range(2):
        expected = by_reference(renderer, given_probabilities[k], [field[k] for field in drawn])
        np.testing.assert_allclose(images[k], expected, rtol=0, atol=1e-9)


@GEOMETRIES
def test_single_precision_and_hard_labels_follow_the_reference(rays):
    renderer = small(rays)
    labels = layers(rays.shape, 4, 9)
    one_hot = torch.nn.functional.one_hot(labels).permute(2, 0, 1).double()
    expected = by_reference(renderer, one_hot, [field[0] for field in renderer._scatterers(None, 1)])
    single = UltrasoundRenderer(table(), rays, psf_mm=(1.0, 1.2))
    image = single(labels)
    assert image.dtype == torch.float32
    np.testing.assert_allclose(image.detach().numpy(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("rays", TINY, ids=["linear", "convex"])
@pytest.mark.parametrize("name", PARAMETERS)
def test_gradient_of_each_parameter(rays, name):
    renderer = small(rays)
    given_probabilities = probabilities(rays)
    own = f"raw_{name}"

    def image(values):
        return torch.func.functional_call(renderer, {own: values}, (given_probabilities,))

    assert torch.autograd.gradcheck(image, getattr(renderer, own).detach().clone().requires_grad_())


@pytest.mark.parametrize("rays", TINY, ids=["linear", "convex"])
def test_gradient_of_the_label_probabilities(rays):
    renderer = small(rays)
    scores = torch.randn(1, 3, *rays.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda s: renderer(torch.softmax(s, 1)), scores.requires_grad_())


def test_gradient_at_hard_labels_without_any_interface():
    # Equal impedances: cos^n, |dZ| and log(1 - r^2) are all at the point where they could break.
    renderer = UltrasoundRenderer(3, LINEAR, psf_mm=(1.0, 1.2), dtype=torch.float64)
    labels = layers(LINEAR.shape, 4, 9)

    def image(values):
        return torch.func.functional_call(renderer, {"raw_impedance": values}, (labels,))

    assert torch.autograd.gradcheck(image, renderer.raw_impedance.detach().clone().requires_grad_())


def test_recovers_attenuation_and_impedance_from_an_image():
    rays = Rays.linear((32, 24), width=12.0, depth=24.0)
    true = TissueTable(("a", "b", "c"), [0.5, 1.2, 0.3], [1.5, 1.9, 1.5], [0.2] * 3, [0.9] * 3, [0.05] * 3)
    # Each step of impedance starts from its right sign: the other one is a local minimum of its own.
    wrong = TissueTable(("a", "b", "c"), [0.9, 0.6, 0.8], [1.5, 1.7, 1.6], [0.2] * 3, [0.9] * 3, [0.05] * 3)
    options = {"psf_mm": (0.8, 1.0), "frequency": 5.0, "dtype": torch.float64}
    labels = layers(rays.shape, 10, 22)
    target = UltrasoundRenderer(true, rays, **options)(labels).detach()

    renderer = UltrasoundRenderer(wrong, rays, **options)
    optimiser = torch.optim.Adam([renderer.raw_attenuation, renderer.raw_impedance], lr=0.1)
    losses = []
    for _ in range(160):
        optimiser.zero_grad()
        loss = (renderer(labels) - target).square().mean()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 1000
    found = renderer.table()
    np.testing.assert_allclose(found.attenuation, true.attenuation, atol=0.02)
    # An image knows impedances up to a common factor.
    np.testing.assert_allclose(found.impedance / found.impedance[0], true.impedance / true.impedance[0], rtol=0.005)


@GEOMETRIES
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "column, value",
    [
        *(("attenuation", 1e6), ("attenuation", 0), ("impedance", 1e6), ("impedance", 1e-9)),
        *(("mu0", 0), ("mu0", 1e6), ("mu1", 0), ("mu1", 1), ("sigma0", 0), ("sigma0", 1e6)),
    ],
)
def test_extremes_stay_finite(rays, dtype, column, value):
    start = table()
    columns = {name: getattr(start, name).copy() for name in ("attenuation", "impedance", "mu0", "mu1", "sigma0")}
    columns[column][1] = value
    renderer = UltrasoundRenderer(TissueTable(start.names, **columns), rays, psf_mm=(0.01, 0.01), dtype=dtype)
    given_probabilities = probabilities(rays).to(dtype).requires_grad_()
    image = renderer(given_probabilities)
    assert torch.isfinite(image).all() and image.min() >= 0 and image.max() <= 1
    image.sum().backward()
    for tensor in (given_probabilities, *renderer.parameters()):
        assert torch.isfinite(tensor.grad).all()


def test_every_parameter_gets_a_gradient():
    renderer = small(LINEAR)
    renderer(layers(LINEAR.shape, 4, 9)).mean().backward()
    assert all(bool((p.grad != 0).any()) for p in renderer.parameters())
    assert len(list(renderer.parameters())) == len(PARAMETERS)


def test_same_input_same_bits():
    rays = Rays.convex((60, 80))
    labels = layers(rays.shape, 20, 40)
    first, second = (UltrasoundRenderer(TissueTable.calf(), rays, seed=3) for _ in range(2))
    image = first(labels)
    assert torch.equal(image, first(labels)) and torch.equal(image, second(labels))
    assert not torch.equal(image, UltrasoundRenderer(TissueTable.calf(), rays, seed=4)(labels))
    drawn = [first.draw(2, torch.Generator().manual_seed(9)) for _ in range(2)]
    both = torch.stack([labels, labels])
    images = [first(both, scatterers=d) for d in drawn]
    assert torch.equal(*images) and not torch.equal(images[0][0], images[0][1])


def test_same_bits_for_any_number_of_threads():
    rays = Rays.convex((120, 160))
    renderer, labels = UltrasoundRenderer(TissueTable.calf(), rays), layers(rays.shape, 20, 40, 60)
    images = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        images.append(renderer(labels))
    assert torch.equal(images[0], images[1]) and torch.equal(images[0], images[2])


def test_same_gradients_twice():
    renderer = UltrasoundRenderer(TissueTable.calf(), Rays.convex((60, 80)))
    images = (renderer(layers((60, 80), 20, 40)) for _ in range(2))
    first, second = (torch.autograd.grad(image.square().sum(), list(renderer.parameters())) for image in images)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_batch_is_its_images():
    renderer = small(CONVEX)
    batch = torch.stack([layers(CONVEX.shape, 3, 6), layers(CONVEX.shape, 5)])
    images = renderer(batch)
    for labels, image in zip(batch, images, strict=True):
        torch.testing.assert_close(renderer(labels), image, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.uint16, torch.int32])
def test_labels_of_any_integer_type(dtype):
    renderer, labels = small(LINEAR), layers(LINEAR.shape, 4, 9)
    assert torch.equal(renderer(labels.to(dtype)), renderer(labels))


def test_state_travels():
    first, second = small(LINEAR, seed=1), UltrasoundRenderer(3, LINEAR, psf_mm=(1.0, 1.2), dtype=torch.float64, seed=2)
    labels = layers(LINEAR.shape, 4)
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(labels), second(labels))
    for column in ("attenuation", "impedance", "mu0", "mu1", "sigma0"):
        np.testing.assert_allclose(getattr(first.table(), column), getattr(table(), column), rtol=1e-9)


def envelope_db(image, dynamic_range_db):
    """Decibels of a linear image, the soft ceiling undone by staying well below white."""
    black = 10 ** (-dynamic_range_db / 10)
    return 10 * np.log10(np.expm1(image * np.log1p(1 / black)) * black)


def test_uniform_tissue_is_rayleigh_speckle_of_the_level_it_should_have():
    rays = Rays.linear((400, 300), width=30.0, depth=40.0)
    tissue = SimpleNamespace(name="muscle", echo_db=-30.0, attenuation=0.5, impedance=1.6)
    renderer = UltrasoundRenderer([tissue], rays, frequency=5.0, dynamic_range_db=100.0, dtype=torch.float64)
    db = envelope_db(renderer(torch.zeros(rays.shape, dtype=torch.int64)).detach().numpy(), 100.0)
    envelope = 10 ** (db / 20)
    assert abs(20 * np.log10(envelope.mean()) + 30) < 0.3
    assert abs(envelope.mean() / envelope.std() - 1.913) < 0.06  # a Rayleigh variable's
    rows = (envelope**2).mean(axis=1)  # time-gain makes up for attenuation; no dark border
    assert abs(10 * np.log10(rows[:100].mean() / rows[-100:].mean())) < 0.5
    columns = (envelope**2).mean(axis=0)
    assert abs(10 * np.log10(columns[:4].mean() / columns.mean())) < 1.5


def test_attenuation_darkens_by_its_decibels():
    rays = Rays.linear((200, 120), width=20.0, depth=40.0)
    table = TissueTable(("a",), [1.0], [1.6], [0.05], [0.9], [0.0])
    renderer = UltrasoundRenderer(table, rays, frequency=3.0, tgc=0.0, dynamic_range_db=120.0, dtype=torch.float64)
    db = envelope_db(renderer(torch.zeros(rays.shape, dtype=torch.int64)).detach().numpy(), 120.0).mean(axis=1)
    slope = np.polyfit((np.arange(200) + 0.5) * rays.step / 10, db, 1)[0]
    assert abs(slope + 6.0) < 0.3  # 2 ways x 1 dB/cm/MHz x 3 MHz


def mirrors(impedance, shape=(80, 80), slope=0.0):
    """A silent medium whose lower part has another impedance; its border falls by `slope` rows a column."""
    rays = Rays.linear(shape, width=20.0, depth=20.0)
    silent = TissueTable(("a", "b"), [0.0, 0.0], [1.5, impedance], [0.0] * 2, [0.5] * 2, [0.0] * 2)
    renderer = UltrasoundRenderer(silent, rays, reflection_db=0.0, tgc=0.0, dtype=torch.float64)
    row, column = torch.meshgrid(*(torch.arange(n) for n in shape), indexing="ij")
    labels = (row > 40 + slope * (column - shape[1] / 2)).long()
    return envelope_db(renderer(labels).detach().numpy(), 60.0)


@pytest.mark.parametrize("impedance", [1.4, 1.6, 2.0])
def test_a_flat_interface_echoes_by_its_impedances(impedance):
    db = mirrors(impedance)
    expected = 20 * np.log10(abs(impedance - 1.5) / (impedance + 1.5))
    assert abs(db[41, 40] - expected) < 0.2
    assert db[41, 40] == db[:, 40].max()


def test_an_oblique_interface_is_darker():
    levels = [mirrors(1.7, slope=slope)[30:50, 40].max() for slope in (0.0, 0.4, 0.8)]
    assert levels[0] > levels[1] + 1 > levels[2] + 2


def test_bone_casts_a_shadow():
    rays = Rays.convex((120, 160), radius=50.0, opening_deg=60.0, depth=70.0)
    labels = torch.full(rays.shape, 4)
    labels[60:66, 70:90] = 6
    image = UltrasoundRenderer(TissueTable.calf(), rays, frequency=5.0)(labels).detach()
    assert image[90:110, 76:84].mean() < 0.15 < 0.3 < image[90:110, 40:50].mean()
    assert image[60:62, 78:82].mean() > 0.6
    assert bool((image[~torch.as_tensor(rays.mask)] == 0).all())


@GEOMETRIES
def test_rays_and_pixels_are_inverse(rays):
    if rays.to_pixel is None:
        assert rays.mask.all() and rays.lines == rays.shape[1] and rays.samples == rays.shape[0]
        return
    for u, v in rays.to_pixel[[0, 3, -1]][:, [0, 4, -1]].reshape(-1, 2):
        assert -1e-9 <= u <= rays.shape[1] - 1 + 1e-9 and -1e-9 <= v <= rays.shape[0] - 1 + 1e-9
    # The pixel of a sample has that sample as its place: bilinear in a smooth map, so nearly.
    line = reference.warp(rays.to_ray[..., 0], rays.to_pixel[2:-2, 1:-1])
    sample = reference.warp(rays.to_ray[..., 1], rays.to_pixel[2:-2, 1:-1])
    assert abs(line - np.arange(1, rays.lines - 1)).max() < 0.1
    assert abs(sample - np.arange(2, rays.samples - 2)[:, None]).max() < 0.1


def test_rays_of_a_probe():
    matrix = np.diag([0.1, 0.05, 1, 1])
    linear = Rays.of(SimpleNamespace(shape=(100, 50), image_to_probe=matrix))
    assert linear.to_pixel is None and linear.step == pytest.approx(0.05) and linear.pitch[0] == pytest.approx(0.1)
    matrix = np.array([[0.5, 0, 0, -30], [0, 0.5, 0, -8], [0, 0, 1, 0], [0, 0, 0, 1]])
    probe = SimpleNamespace(shape=(160, 120), image_to_probe=matrix, radius=60.0, opening_deg=40.0, depth=70.0)
    curved = Rays.of(probe)
    np.testing.assert_allclose(curved.to_ray[16, 60], [119 / 2, 0], atol=1e-9)  # the middle of the face
    with pytest.raises(TypeError, match="SimpleNamespace is no probe"):
        Rays.of(SimpleNamespace(shape=(3, 4)))
    with pytest.raises(GeometryError, match="along its beams"):
        Rays.of(SimpleNamespace(shape=(9, 9), image_to_probe=np.diag([1, -1, 1, 1])))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Rays.linear((1, 5)), "height must be a whole number of at least 2"),
        (lambda: Rays.linear((5, 5), depth=0), "depth must be positive"),
        (lambda: Rays.convex((5, 5), opening_deg=180), "below 180"),
        (lambda: Rays.convex((5, 5), radius=float("nan")), "radius must be positive"),
        (lambda: Rays.convex((5, 5), lines=0), "lines must be a whole number"),
        (lambda: Rays.convex((5, 5), image_to_probe=np.zeros((4, 4))), "invertible"),
        (lambda: Rays.convex((5, 5), image_to_probe=np.eye(3)), r"shape \(3, 3\)"),
        (lambda: TissueTable.neutral(0), "positive whole number"),
        (lambda: TissueTable.of([]), "at least one"),
        (lambda: TissueTable(("a",), [1], [0], [1], [1], [1]), "impedance must be positive"),
        (lambda: TissueTable(("a",), [np.nan], [1], [1], [1], [1]), "attenuation of a must be finite"),
        (lambda: TissueTable(("a",), [1], [1], [1], [2], [1]), "must not exceed 1"),
        (lambda: TissueTable(("a",), [1, 2], [1], [1], [1], [1]), "there are 1 tissues"),
        (lambda: UltrasoundRenderer(2, LINEAR, frequency=0), "frequency must be from"),
        (lambda: UltrasoundRenderer(2, LINEAR, seed=1.5), "seed must be a whole number"),
        (lambda: UltrasoundRenderer(2, LINEAR, specularity=1), "specularity must be from 2"),
        (lambda: UltrasoundRenderer(2, LINEAR, psf_mm=(1.0,)), "axial, lateral"),
        (lambda: UltrasoundRenderer(2, LINEAR, psf_mm=(1.0, float("nan"))), "psf_mm must be from"),
    ],
)
def test_wrong_numbers_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda: TissueTable.of([SimpleNamespace(name="x")]),
        lambda: UltrasoundRenderer(2, "linear"),
        lambda: UltrasoundRenderer(None, LINEAR),
        lambda: UltrasoundRenderer(2, LINEAR, dtype=torch.float16),
        lambda: UltrasoundRenderer(2, LINEAR).draw(1, 5),
        lambda: UltrasoundRenderer(2, LINEAR)(np.zeros((14, 11), int)),
        lambda: UltrasoundRenderer(2, LINEAR)(torch.zeros(14, 11, dtype=torch.bool)),
        lambda: UltrasoundRenderer(2, LINEAR)(torch.zeros(14, 11, dtype=torch.int64), scatterers=(1, 2, 3)),
    ],
)
def test_wrong_types_are_refused(make):
    with pytest.raises(TypeError):
        make()


@pytest.mark.parametrize(
    "labels, message",
    [
        (torch.zeros(11, 14, dtype=torch.int64), r"images are \(14, 11\)"),
        (torch.zeros(0, 14, 11, dtype=torch.int64), "images are"),
        (torch.full((14, 11), 3), "from 0 to 2, but 3"),
        (torch.full((14, 11), -1), "but -1 occurs"),
        (torch.zeros(14, 11), r"must be \(B, 3, H, W\)"),
        (torch.full((1, 3, 14, 11), 0.2), "1 in sum"),
        (torch.full((1, 3, 14, 11), float("nan")), "finite"),
    ],
)
def test_wrong_labels_are_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        small(LINEAR)(labels)


def test_scatterers_of_another_size_are_refused():
    renderer = small(LINEAR)
    with pytest.raises(ValueError, match="presence of the scatterers"):
        renderer(layers(LINEAR.shape, 4), scatterers=Scatterers(*(torch.zeros(2, 14, 11) for _ in range(3))))
