"""The ray-based forward model in plain float64 NumPy, written sample by sample from its equations."""

from __future__ import annotations

import numpy as np


def bilinear(image, u, v):
    """Value of an (H, W) image at one place, the border repeated outside."""
    height, width = image.shape
    u, v = np.clip(u, 0, width - 1), np.clip(v, 0, height - 1)
    i, j = min(int(u), width - 2), min(int(v), height - 2)
    a, b = u - i, v - j
    upper = (1 - a) * image[j, i] + a * image[j, i + 1]
    lower = (1 - a) * image[j + 1, i] + a * image[j + 1, i + 1]
    return (1 - b) * upper + b * lower


def warp(image, places):
    """An image taken at (..., 2) places (u, v)."""
    flat = [bilinear(image, u, v) for u, v in places.reshape(-1, 2)]
    return np.array(flat).reshape(places.shape[:-1])


def gaussian(width, reach):
    """Samples of exp(-t^2 / 2 width^2) for t = -reach..reach."""
    return np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * width**2))


def blur(field, axial, lateral, repeat):
    """Two symmetric kernels along rows and columns; outside is 0 or the border's value."""
    for axis, kernel in enumerate((axial, lateral)):
        reach = len(kernel) // 2
        pad = [(reach, reach) if a == axis else (0, 0) for a in range(2)]
        padded = np.pad(field, pad, mode="edge" if repeat else "constant")
        field = np.apply_along_axis(np.convolve, axis, padded, kernel, mode="valid")
    return field


def direction(log_impedance, rays, specularity):
    """cos^n of the angle between beam and the normal of the nearest interface."""
    kernels = []
    for spacing in (rays.step, rays.pitch[rays.samples // 2]):
        width = max(0.5 / spacing, 1.0)
        kernel = gaussian(width, int(np.ceil(3 * width)))
        kernels.append(kernel / kernel.sum())
    smooth = blur(log_impedance, *kernels, repeat=True)
    along = np.gradient(smooth, rays.step, axis=0)
    across = np.gradient(smooth, axis=1) / rays.pitch[:, None]
    return (along**2 / (along**2 + across**2 + 1e-6)) ** (specularity / 2)


def echoes(maps, facing, drawn, rays, values, frequency, tgc):
    """Complex amplitude that each sample sends back, line by line, and that of interfaces."""
    scattered = np.zeros((rays.samples, rays.lines), complex)
    reflected = np.zeros((rays.samples, rays.lines))
    for line in range(rays.lines):
        db, through = 0.0, 1.0  # two-way loss and transmission down to the upper side of the sample
        for k in range(rays.samples):
            gain = tgc * rays.step / 10 * (k + 0.5)
            own = 2 * maps["attenuation"][k, line] * frequency * rays.step / 10
            if k:
                z1, z2 = maps["impedance"][k - 1 : k + 1, line]
                coefficient = (z2 - z1) / (z2 + z1)
                level = 10 ** ((gain - db) / 20) * through
                reflected[k, line] = values["reflection"] * coefficient * facing[k, line] * level
                through *= 1 - coefficient**2
            share = 1 / (1 + np.exp(-(maps["mu1"][k, line] - drawn[0][k, line]) / 0.1))
            amplitude = share * (maps["mu0"][k, line] + maps["sigma0"][k, line] * drawn[1][k, line])
            level = 10 ** ((gain - db - own / 2) / 20) * through
            scattered[k, line] = amplitude * level * np.exp(1j * drawn[2][k, line])
            db += own
    return scattered, reflected


def render(probabilities, drawn, rays, values, psf_reach, *, frequency, tgc, dynamic_range_db, specularity):
    """(H, W) image from (C, H, W) probabilities and three (S, L) arrays: presence, strength, phase."""
    if rays.to_pixel is not None:
        probabilities = np.array([warp(p, rays.to_pixel) for p in probabilities])
    maps = {
        name: np.einsum("c,csl->sl", values[name], probabilities)
        for name in ("attenuation", "impedance", "mu0", "mu1", "sigma0")
    }
    facing = direction(np.log(maps["impedance"]), rays, specularity)
    scattered, reflected = echoes(maps, facing, drawn, rays, values, frequency, tgc)
    spacing = rays.step, rays.pitch[rays.samples // 2]
    axial, lateral = (gaussian(values["psf_mm"][a] / spacing[a], psf_reach[a]) for a in range(2))
    # Scatterers keep their power, a flat mirror its amplitude.
    power = blur(np.ones(scattered.shape), axial**2, lateral**2, repeat=False)
    speckle = blur(scattered, axial, lateral, repeat=False)
    mirror = blur(reflected, axial, lateral, repeat=False) / (axial.max() * lateral.sum())
    scale = np.sqrt((axial**2).sum() * (lateral**2).sum())
    envelope = np.abs(speckle + scale * mirror) / np.sqrt(power)
    black = 10 ** (-dynamic_range_db / 20)
    level = np.log(1 + (envelope / black) ** 2) / np.log(1 + 1 / black**2)
    image = 1 - np.log1p(np.exp(20 * (1 - level))) / np.log1p(np.exp(20))
    return image if rays.to_ray is None else warp(image, rays.to_ray) * rays.mask
