"""Confidence maps of volumes with 26 neighbours: the formula of `reference.confidence`, with a sparse direct solver."""

from itertools import product

import numpy as np

from reference.confidence import EPS, solve

STEPS = [step for step in product((-1, 0, 1), repeat=3) if step > (0, 0, 0)]  # one of each pair of opposite neighbours


def attenuated(volume, alpha=2.0, axis=1, inside=None, depth=None):
    """Volume normalised over the mask and multiplied by 1 - exp(-alpha depth), (Z, Y, X) float64."""
    x = np.asarray(volume, float)
    inside = np.ones(x.shape, bool) if inside is None else inside
    low, high = x[inside].min(), x[inside].max()
    x = (x - low) / ((high - low) + EPS)
    if depth is None:
        depth = np.linspace(0, 1, x.shape[axis]).reshape([-1 if i == axis else 1 for i in range(3)])
    return x * (1 - np.exp(-alpha * np.asarray(depth, float)))


def edges(a, beta=90.0, gamma=0.05, axis=1, inside=None):
    """Edges p, q (flat indices) and their weights."""
    inside = np.ones(a.shape, bool) if inside is None else inside
    index = np.arange(a.size).reshape(a.shape)
    p, q, s, vertical = [], [], [], []
    for step in STEPS:
        here = tuple(slice(max(0, -d), n - max(0, d)) for d, n in zip(step, a.shape, strict=True))
        there = tuple(slice(max(0, d), n - max(0, -d)) for d, n in zip(step, a.shape, strict=True))
        first, second = index[here].ravel(), index[there].ravel()
        keep = inside.ravel()[first] & inside.ravel()[second]
        first, second = first[keep], second[keep]
        p.append(first)
        q.append(second)
        s.append(np.abs(a.ravel()[first] - a.ravel()[second]))
        vertical.append(np.full(len(first), all((d != 0) == (i == axis) for i, d in enumerate(step))))
    p, q, s, vertical = (np.concatenate(v) for v in (p, q, s, vertical))
    s = s / (s.max(initial=0) + EPS)
    s = s + gamma * ~vertical
    s = s / (s.max(initial=0) + EPS)
    return p, q, np.exp(-beta * s) + 1e-5


def confidence_volume(
    volume, alpha=2.0, beta=90.0, gamma=0.05, *, axis=1, sources=None, sinks=None, mask=None, depth=None
):
    a = attenuated(volume, alpha, axis, mask, depth)
    value = np.full(a.shape, np.nan)
    along = np.moveaxis(value, axis, 0)
    if sinks is None:
        along[-1] = 0
    else:
        value[sinks] = 0
    if sources is None:
        along[0] = 1
    else:
        value[sources] = 1
    if mask is not None:
        value[~mask] = 0
    return solve(a.shape, *edges(a, beta, gamma, axis, mask), value)
