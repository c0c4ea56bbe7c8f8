"""The forward model: from tissue probabilities along scan lines to a log-compressed image."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as nnf

from usfast.simulate.differentiable.rays import Rays
from usfast.simulate.differentiable.table import PRESENCE_WIDTH, TissueTable

__all__ = ["Scatterers", "UltrasoundRenderer"]

_NEPER = math.log(10) / 20  # a dB of amplitude
_LEAST_IMPEDANCE = 1e-4  # MRayl; air has 4e-4
_LEAST_WIDTH = 0.1  # of the point-spread function, samples
_NORMAL_MM = 0.5  # over which the impedance is smoothed to find the direction of an interface
_SLOPE = 1e-3  # change of ln Z a mm below which an interface has no direction
_KNEE = 20.0  # sharpness of the soft ceiling at white


class Scatterers(NamedTuple):
    """One draw of scatterers, each a (B, S, L) tensor or a (1, S, L) one for all images of a batch.

    Attributes
    ----------
    presence : uniform in [0, 1); where it lies below mu1 there is a scatterer
    strength : standard normal; the amplitude is mu0 + sigma0 * strength
    phase : uniform in [0, 2 pi), rad; where in its sample a scatterer lies
    """

    presence: Tensor
    strength: Tensor
    phase: Tensor


class UltrasoundRenderer(nn.Module):
    """Render B-mode images from label maps, differentiably.

    Along each scan line: two-way attenuation and transmission through interfaces as a running sum of logarithms;
    echoes of interfaces from the change of ln(impedance), weaker where the beam is oblique; scatterers of random
    phase; both convolved with a Gaussian point-spread function; envelope, time-gain, smooth log compression.

    Parameters
    ----------
    tissues : TissueTable, sequence of a phantom's tissues, or int
        Where the learnable numbers start from; an int gives that many equal soft tissues.
    rays : Rays
        Scan lines of the probe.
    frequency : float
        MHz.
    psf_mm : (axial, lateral)
        Standard deviation of the point-spread function (amplitude), mm; of a curved array, at half depth.
    tgc : float, optional
        Time-gain, dB/cm, two-way. Default: what makes up for 0.5 dB/cm/MHz.
    dynamic_range_db : float
        What the image shows: 0 is black, -`dynamic_range_db`; 1 is white, 0 dB. At most 120.
    reflection_db : float
        Level of the echo of a perfect flat mirror at normal incidence, dB above white.
    specularity : float
        The echo of an interface falls with cos(angle of incidence) to this power, at least 2.
    seed : int
        Of the scatterers that every call uses unless it is given others.
    dtype : torch.float32 or torch.float64

    Attributes
    ----------
    raw_attenuation, raw_impedance, raw_mu0, raw_mu1, raw_sigma0 : (C,) parameters
        Unbounded; `values()` gives the numbers they stand for (softplus; sigmoid for mu1).
    raw_reflection : () parameter
    raw_psf : (2,) parameter

    Raises
    ------
    ValueError, TypeError
        If an argument is out of its range.

    Notes
    -----
    After Velikova et al., "LOTUS", MICCAI 2023, and Burger et al., "Real-time GPU-based ultrasound simulation using
    deformable mesh models", IEEE TMI 32 (2013). `docs/differentiable.md` has the equations and what differs. Only
    ratios of impedances are seen in an image.

    On a CPU the same input gives the same image, bit for bit, for any number of torch's threads; torch adds up the
    gradients of a parameter in an order that depends on that number.

    Examples
    --------
    >>> import torch
    >>> from usfast.simulate.differentiable import Rays, TissueTable, UltrasoundRenderer
    >>> renderer = UltrasoundRenderer(TissueTable.calf(), Rays.linear((96, 64), width=20, depth=30))
    >>> labels = torch.full((96, 64), 4)  # muscle
    >>> labels[60:] = 6  # bone
    >>> image = renderer(labels)
    >>> tuple(image.shape), bool(image[60:62].mean() > 0.7), bool(image[75:].mean() < 0.1)
    ((96, 64), True, True)
    >>> image.mean().backward()
    >>> bool(renderer.raw_attenuation.grad[4] < 0)  # more attenuation in muscle, a darker image
    True
    """

    def __init__(
        self,
        tissues: TissueTable | Iterable[Any] | int,
        rays: Rays,
        *,
        frequency: float = 7.5,
        psf_mm: tuple[float, float] = (0.15, 0.4),
        tgc: float | None = None,
        dynamic_range_db: float = 60.0,
        reflection_db: float = 20.0,
        specularity: float = 4.0,
        seed: int = 0,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        if not isinstance(rays, Rays):
            raise TypeError(f"rays must be Rays, not {type(rays).__name__}")
        if dtype not in (torch.float32, torch.float64):
            raise TypeError(f"dtype must be torch.float32 or torch.float64, not {dtype}")
        if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
            raise ValueError(f"seed must be a whole number from 0 to 2**63 - 1, not {seed!r}")
        table = _table(tissues)
        self.rays, self.names, self._dtype = rays, table.names, dtype
        self.frequency = _between("frequency", frequency, 1e-3, 1e3)
        self.tgc = _between("tgc", self.frequency if tgc is None else tgc, 0, 1e3)
        self.dynamic_range_db = _between("dynamic_range_db", dynamic_range_db, 1, 120)
        self.specularity = _between("specularity", specularity, 2, 1e3)
        self._spacing = rays.step, float(rays.pitch[rays.samples // 2])
        widths = _widths(psf_mm, self._spacing)
        self._reach = tuple(math.ceil(4 * width) for width in widths)

        self.raw_attenuation = self._parameter(_inverse_softplus(table.attenuation))
        self.raw_impedance = self._parameter(_inverse_softplus(table.impedance - _LEAST_IMPEDANCE))
        self.raw_mu0 = self._parameter(_inverse_softplus(table.mu0))
        self.raw_sigma0 = self._parameter(_inverse_softplus(table.sigma0))
        share = np.clip(table.mu1, 1e-4, 1 - 1e-4)
        self.raw_mu1 = self._parameter(np.log(share / (1 - share)))
        mirror = 10 ** (_between("reflection_db", reflection_db, -200, 100) / 20)
        self.raw_reflection = self._parameter(_inverse_softplus(np.asarray(mirror)))
        self.raw_psf = self._parameter(_inverse_softplus(widths - _LEAST_WIDTH))
        self._register_geometry()
        for name, draw in self.draw(1, torch.Generator().manual_seed(int(seed)))._asdict().items():
            self.register_buffer(name, draw)

    def _parameter(self, values: Any) -> nn.Parameter:
        return nn.Parameter(torch.as_tensor(values, dtype=self._dtype))

    def _register_geometry(self) -> None:
        rays = self.rays
        gain = self.tgc * _NEPER / 10 * rays.step * (np.arange(rays.samples) + 0.5)
        constants = {"_gain": gain[:, None], "_pitch": rays.pitch[:, None], "_mask": rays.mask}
        if rays.to_pixel is not None and rays.to_ray is not None:
            constants["_to_pixel"] = _normalised(rays.to_pixel, rays.shape)
            constants["_to_ray"] = _normalised(rays.to_ray, (rays.samples, rays.lines))
        for name, values in constants.items():
            self.register_buffer(name, torch.as_tensor(values, dtype=self._dtype), persistent=False)

    def values(self) -> dict[str, Tensor]:
        """Return the numbers that the raw parameters stand for; gradients flow through.

        Returns
        -------
        dict
            "attenuation" (dB/cm/MHz), "impedance" (MRayl), "mu0", "mu1", "sigma0": (C,) tensors; "reflection":
            amplitude of a perfect mirror's echo; "psf_mm": (2,) axial and lateral width.

        Examples
        --------
        >>> renderer = UltrasoundRenderer(2, Rays.linear((8, 8)))
        >>> renderer.values()["impedance"].detach().double().numpy().round(3).tolist()
        [1.6, 1.6]
        """
        spacing = torch.as_tensor(self._spacing, dtype=self.raw_psf.dtype, device=self.raw_psf.device)
        return {
            "attenuation": nnf.softplus(self.raw_attenuation),
            "impedance": _LEAST_IMPEDANCE + nnf.softplus(self.raw_impedance),
            "mu0": nnf.softplus(self.raw_mu0),
            "mu1": torch.sigmoid(self.raw_mu1),
            "sigma0": nnf.softplus(self.raw_sigma0),
            "reflection": nnf.softplus(self.raw_reflection),
            "psf_mm": (_LEAST_WIDTH + nnf.softplus(self.raw_psf)) * spacing,
        }

    def table(self) -> TissueTable:
        """Return the tissues' present numbers as a table."""
        columns = {name: column.detach().cpu().double().numpy() for name, column in self.values().items()}
        return TissueTable(self.names, *(columns[c] for c in ("attenuation", "impedance", "mu0", "mu1", "sigma0")))

    def draw(self, batch: int, generator: torch.Generator) -> Scatterers:
        """Return new scatterers.

        Parameters
        ----------
        batch : int
            Number of images.
        generator : torch.Generator
            Numbers are drawn on its device: one on the CPU gives the same scatterers for a renderer on any device.

        Examples
        --------
        >>> renderer = UltrasoundRenderer(2, Rays.linear((8, 6)))
        >>> drawn = renderer.draw(3, torch.Generator().manual_seed(1))
        >>> tuple(drawn.phase.shape)
        (3, 8, 6)
        """
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise ValueError(f"batch must be a positive whole number, not {batch!r}")
        if not isinstance(generator, torch.Generator):
            raise TypeError(f"generator must be a torch.Generator, not {type(generator).__name__}")
        shape = (batch, self.rays.samples, self.rays.lines)
        # In double on any device and for any dtype: the same seed is the same tissue.
        to = {"dtype": torch.float64, "device": generator.device, "generator": generator}
        draws = torch.rand(shape, **to), torch.randn(shape, **to), 2 * math.pi * torch.rand(shape, **to)
        return Scatterers(*(d.to(self.raw_mu0.device, self.raw_mu0.dtype) for d in draws))

    def forward(self, labels: Tensor, *, scatterers: Scatterers | None = None) -> Tensor:
        """Render images.

        Parameters
        ----------
        labels : (H, W) or (B, H, W) integer tensor, or (B, C, H, W) floating tensor
            Index of each pixel's tissue, or the probability of each tissue, 1 in sum; the image is differentiable
            with respect to the latter.
        scatterers : Scatterers, optional
            From `draw`. Default: the renderer's own, the same in every call and image.

        Returns
        -------
        (H, W) or (B, H, W) tensor
            0 black to 1 white; 0 where no scan line comes.

        Raises
        ------
        TypeError, ValueError
            If labels or scatterers do not fit the renderer.
        """
        probabilities = self._probabilities(labels)
        drawn = self._scatterers(scatterers, len(probabilities))
        if self.rays.to_pixel is not None:
            probabilities = _warp(probabilities, self._to_pixel)
        power = self._echo_power(probabilities, drawn)
        image = self._compress(power)
        if self.rays.to_ray is not None:
            image = _warp(image[:, None], self._to_ray)[:, 0] * self._mask
        return image[0] if labels.dim() == 2 else image

    def _probabilities(self, labels: Tensor) -> Tensor:
        """(B, C, H, W) in the renderer's dtype, on its device."""
        if not isinstance(labels, Tensor):
            raise TypeError(f"labels must be a tensor, not {type(labels).__name__}")
        if tuple(labels.shape[-2:]) != self.rays.shape or len(labels) == 0:
            raise ValueError(f"labels have shape {tuple(labels.shape)}, but images are {self.rays.shape}")
        count, like = len(self.names), self.raw_mu0
        if labels.is_floating_point():
            if labels.dim() != 4 or labels.shape[1] != count:
                raise ValueError(f"probabilities must be (B, {count}, H, W), not {tuple(labels.shape)}")
            given = labels.detach()
            if not bool((given >= 0).all()) or not bool(((given.sum(1) - 1).abs() < 1e-2).all()):
                raise ValueError("probabilities must be finite, not negative, and 1 in sum at each pixel")
            return labels.to(like.device, like.dtype)
        if labels.dim() not in (2, 3) or labels.is_complex() or labels.dtype == torch.bool:
            raise TypeError("labels must be integers of shape (H, W) or (B, H, W)")
        labels = labels.to(like.device, torch.int64)
        least, most = int(labels.min()), int(labels.max())
        if least < 0 or most >= count:
            raise ValueError(f"labels must be from 0 to {count - 1}, but {least if least < 0 else most} occurs")
        hot = nnf.one_hot(labels.reshape(-1, *self.rays.shape), count)
        return hot.permute(0, 3, 1, 2).to(like.dtype)

    def _scatterers(self, given: Scatterers | None, batch: int) -> Scatterers:
        if given is None:
            return Scatterers(self.presence, self.strength, self.phase)
        if not isinstance(given, Scatterers):
            raise TypeError(f"scatterers must be Scatterers, not {type(given).__name__}")
        wanted = [(count, self.rays.samples, self.rays.lines) for count in (1, batch)]
        for name, field in given._asdict().items():
            if tuple(field.shape) not in wanted:
                raise ValueError(f"{name} of the scatterers has shape {tuple(field.shape)}, not {wanted[1]}")
        return given

    def _echo_power(self, probabilities: Tensor, drawn: Scatterers) -> Tensor:
        """(B, S, L) squared envelope of what comes back, time-gain included."""
        v = self.values()
        columns = torch.stack([v["attenuation"], v["impedance"], v["mu0"], v["mu1"], v["sigma0"]])
        attenuation, impedance, mu0, mu1, sigma0 = _mixture(columns, probabilities)
        lost = attenuation * (2 * _NEPER / 10 * self.frequency * self.rays.step)
        mirror, crossing, facing = self._interfaces(torch.log(impedance))
        # An interface lies on the upper side of its sample: it weakens that sample's scatterers, not its own echo.
        arriving = _sum_above(crossing) - _sum_above(lost) + self._gain

        presence = torch.sigmoid((mu1 - drawn.presence) / PRESENCE_WIDTH)
        scattered = presence * (mu0 + sigma0 * drawn.strength)
        scattered = scattered * torch.exp(arriving + crossing - lost / 2)
        reflected = v["reflection"] * mirror * facing * torch.exp(arriving)

        axial, lateral = self._psf(v["psf_mm"])
        flat = axial.norm() * lateral.norm() / (axial.max() * lateral.sum())  # a flat mirror comes back as itself
        field = torch.stack(
            [scattered * torch.cos(drawn.phase) + flat * reflected, scattered * torch.sin(drawn.phase)], 1
        )
        axial, lateral = axial / axial.norm(), lateral / lateral.norm()
        echo = _convolve(field, axial, lateral)
        # Less than a whole kernel lies within the image at its border: keep the mean power of scatterers.
        shares = [_shares(kernel, size) for kernel, size in zip((axial, lateral), field.shape[-2:], strict=True)]
        return echo.square().sum(dim=1) / (shares[0][:, None] * shares[1])

    def _interfaces(self, log_impedance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Reflection coefficient, log of the two-way transmission and cosine factor of the top of each sample."""
        half = nnf.pad(torch.diff(log_impedance, dim=1), (0, 0, 1, 0)) / 2
        mirror = torch.tanh(half)  # (Z2 - Z1) / (Z2 + Z1)
        size = half.abs()
        crossing = -2 * (size + nnf.softplus(-2 * size) - math.log(2))  # log(1 - mirror^2)
        down, aside = (self._normal_kernel(spacing) for spacing in self._spacing)
        smooth = _convolve(log_impedance[:, None], down, aside, padding="replicate")[:, 0]
        along = torch.gradient(smooth, spacing=self.rays.step, dim=1)[0].square()
        across = (torch.gradient(smooth, dim=2)[0] / self._pitch).square()
        facing = along / (along + across + _SLOPE**2)
        return mirror, crossing, facing ** (self.specularity / 2)

    def _normal_kernel(self, spacing: float) -> Tensor:
        width = max(_NORMAL_MM / spacing, 1.0)
        offsets = torch.arange(-math.ceil(3 * width), math.ceil(3 * width) + 1).to(self.raw_psf)
        kernel = torch.exp(-offsets.square() / (2 * width**2))
        return kernel / kernel.sum()

    def _psf(self, psf_mm: Tensor) -> list[Tensor]:
        kernels = []
        for width, spacing, reach in zip(psf_mm, self._spacing, self._reach, strict=True):
            offsets = torch.arange(-reach, reach + 1).to(psf_mm) * (spacing / width)
            kernels.append(torch.exp(-offsets.square() / 2))
        return kernels

    def _compress(self, power: Tensor) -> Tensor:
        """Level from 0, nothing at all, to 1: it flattens smoothly below black and above white."""
        black = 10 ** (-self.dynamic_range_db / 10)
        level = torch.log1p(power / black) / math.log1p(1 / black)
        full = nnf.softplus(torch.full_like(level[:1, :1, :1], _KNEE))
        return 1 - nnf.softplus(_KNEE * (1 - level)) / full


def _convolve(field: Tensor, axial: Tensor, lateral: Tensor, padding: str = "constant") -> Tensor:
    """(B, K, S, L) convolved with two symmetric kernels."""
    rows, columns = len(axial) // 2, len(lateral) // 2
    padded = nnf.pad(field.flatten(0, 1)[:, None], (columns, columns, rows, rows), mode=padding)
    down = nnf.conv2d(padded, axial[None, None, :, None])
    return nnf.conv2d(down, lateral[None, None, None, :]).reshape(field.shape)


def _mixture(columns: Tensor, probabilities: Tensor) -> Tensor:
    """(P, B, S, L) maps of P quantities: (P, C) values mixed by (B, C, S, L) probabilities."""
    # Not einsum: a matrix product adds in an order that depends on the number of threads.
    maps = columns[:, 0, None, None, None] * probabilities[:, 0]
    for tissue in range(1, columns.shape[1]):
        maps = maps + columns[:, tissue, None, None, None] * probabilities[:, tissue]
    return maps


def _sum_above(field: Tensor) -> Tensor:
    """(B, S, L) sum over the samples before each one."""
    return nnf.pad(torch.cumsum(field[:, :-1], dim=1), (0, 0, 1, 0))


def _shares(kernel: Tensor, size: int) -> Tensor:
    """(size,) share of the kernel's power that lies within the image."""
    inside = torch.ones(1, 1, size).to(kernel)
    return nnf.conv1d(inside, kernel.square()[None, None], padding=len(kernel) // 2)[0, 0]


def _warp(images: Tensor, grid: Tensor) -> Tensor:
    """(B, K, H, W) images taken at a grid of places, the border repeated outside."""
    grids = grid.expand(len(images), *grid.shape)
    return nnf.grid_sample(images, grids, mode="bilinear", padding_mode="border", align_corners=True)


def _normalised(places: Any, shape: tuple[int, int]) -> Any:
    """Places (x, y) in samples as -1 to 1."""
    return places / (np.array([shape[1], shape[0]]) - 1) * 2 - 1


def _inverse_softplus(values: Any) -> Any:
    """What softplus takes to values; 0 becomes 1e-6, for 0 would never be left again."""
    values = np.maximum(values, 1e-6)
    return values + np.log(-np.expm1(-values))


def _table(tissues: TissueTable | Iterable[Any] | int) -> TissueTable:
    if isinstance(tissues, TissueTable):
        return tissues
    if isinstance(tissues, (int, np.integer)):
        return TissueTable.neutral(int(tissues))
    if isinstance(tissues, Iterable):
        return TissueTable.of(tissues)
    raise TypeError(f"tissues must be a TissueTable, tissues or their number, not {type(tissues).__name__}")


def _between(name: str, value: float, least: float, most: float) -> float:
    number = float(value)
    if not least <= number <= most:
        raise ValueError(f"{name} must be from {least:g} to {most:g}, not {value!r}")
    return number


def _widths(psf_mm: tuple[float, float], spacing: tuple[float, float]) -> Any:
    """(2,) widths of the point-spread function in samples."""
    if len(psf_mm) != 2:
        raise ValueError(f"psf_mm must be (axial, lateral), not {psf_mm!r}")
    widths = np.array([_between("psf_mm", mm, 1e-3, 100) for mm in psf_mm]) / spacing
    if (widths > 250).any():
        raise ValueError(f"psf_mm must not exceed 250 samples, but {psf_mm!r} is {widths.max():.0f}")
    return np.maximum(widths, _LEAST_WIDTH)
