"""Delay and sum in float64, one element after another: slow, obviously right."""

import numpy as np


def transmit_path(transmit, points, transducer, speed):
    """Distance of the front's way from time zero to the points, mm; `speed` in mm/s."""
    kind = type(transmit).__name__
    if kind == "PlaneWave":
        angle = np.deg2rad(transmit.angle_deg)
        return (points - np.array(transmit.reference)) @ np.array([np.sin(angle), np.cos(angle), 0])
    if kind == "VirtualSource":
        source, reference = np.array(transmit.position), np.array(transmit.reference)
        to_source = np.linalg.norm(source - reference)
        to_point = np.linalg.norm(points - source, axis=-1)
        if source[1] <= reference[1]:
            return to_point - to_source
        beyond = (points - source) @ (source - reference) >= 0
        return np.where(beyond, to_source + to_point, to_source - to_point)
    ways = [
        delay * speed + np.linalg.norm(points - position, axis=-1)
        for position, delay in zip(transducer.positions, transmit.delays, strict=True)
        if np.isfinite(delay)
    ]
    return np.min(ways, axis=0)


def window_weight(window, u, taper):
    """Apodisation at u: 0 in the middle of the aperture, 1 at its edge."""
    if window == "boxcar":
        return np.ones_like(u)
    if window == "hann":
        return 0.5 + 0.5 * np.cos(np.pi * u)
    if window == "hamming":
        return 0.54 + 0.46 * np.cos(np.pi * u)
    return np.where(u <= 1 - taper, 1.0, 0.5 + 0.5 * np.cos(np.pi * (u - 1 + taper) / taper))


def apodisation(points, position, normal, f_number, window, taper):
    """Weight of one element in every point."""
    if f_number is None:
        return np.ones(len(points))
    way = points - position
    axial = way @ normal
    lateral = np.linalg.norm(way - axial[:, None] * normal, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        u = np.where(axial > 0, 2 * f_number * lateral / axial, np.inf)
    return np.where(u <= 1, window_weight(window, np.minimum(u, 1), taper), 0)


def interpolate(signal, k, interpolation):
    """The signal at the samples k; 0 outside of it."""
    count = len(signal)
    taps = {"nearest": 1, "linear": 2, "cubic": 4}[interpolation]
    first = np.floor(k + (0.5 if taps == 1 else 0)) - (1 if taps == 4 else 0)
    first = np.clip(first, 0, count - taps).astype(int)
    value = np.zeros(len(k), np.result_type(signal, np.float64))
    for a in range(taps):  # Lagrange's polynomials
        weight = np.ones(len(k))
        for b in range(taps):
            if a != b:
                weight *= (k - first - b) / (a - b)
        value += weight * signal[first + a]
    return np.where((k >= 0) & (k <= count - 1), value, 0)


def delay_and_sum(
    data,
    transducer,
    transmits,
    points,
    *,
    sampling_frequency,
    start_time=0.0,
    speed_of_sound=1540.0,
    demodulation_frequency=None,
    f_number=None,
    window="boxcar",
    taper=0.5,
    interpolation="linear",
    transmit_weights=None,
    compound=True,
):
    """As `usfast.beamform.delay_and_sum`."""
    data = np.asarray(data).astype(np.complex128 if np.iscomplexobj(data) else np.float64)
    points = np.asarray(points, np.float64)
    shape = points.shape[:-1]
    points = np.pad(points.reshape(-1, points.shape[-1]), [(0, 0), (0, 3 - points.shape[-1])])
    starts = np.broadcast_to(start_time, len(data))
    rate, speed = sampling_frequency * 1e6, speed_of_sound * 1e3
    images = np.zeros((len(data), len(points)), data.dtype)
    for t, transmit in enumerate(transmits):
        there = transmit_path(transmit, points, transducer, speed)
        for e, (position, normal) in enumerate(zip(transducer.positions, transducer.normals, strict=True)):
            time = (there + np.linalg.norm(points - position, axis=-1)) / speed
            heard = interpolate(data[t, e], (time - starts[t]) * rate, interpolation)
            if demodulation_frequency is not None:
                heard = heard * np.exp(2j * np.pi * demodulation_frequency * 1e6 * time)
            images[t] += apodisation(points, position, normal, f_number, window, taper) * heard
        if transmit_weights is not None:
            images[t] *= np.asarray(transmit_weights)[t].reshape(-1)
    return images.sum(axis=0).reshape(shape) if compound else images.reshape(len(data), *shape)
