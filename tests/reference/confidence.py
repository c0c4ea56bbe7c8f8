"""Confidence maps of Karamalis et al. (2012), step by step as in the authors' code, with a sparse direct solver."""

import numpy as np
import scipy.sparse as sp
from scipy.signal import hilbert
from scipy.sparse.linalg import spsolve

EPS = 2.0**-52
STEPS = ((1, 0), (0, 1), (1, 1), (1, -1))  # one of each pair of opposite neighbours; only the first is vertical


def attenuated(image, alpha=2.0, mode="B", inside=None, depth=None, variant="authors"):
    """Normalised image and the same times 1 - exp(-alpha depth), or exp(-alpha depth); both (H, W) float64."""
    x = np.asarray(image, float)
    inside = np.ones(x.shape, bool) if inside is None else inside
    low, high = x[inside].min(), x[inside].max()
    x = (x - low) / ((high - low) + EPS)
    if mode == "RF":
        x = np.abs(hilbert(x, axis=0))
    if depth is None:
        depth = np.linspace(0, 1, len(x))[:, None]
    passed = np.exp(-alpha * np.asarray(depth, float))
    return x, x * (passed if variant == "paper" else 1 - passed)


def edges(a, beta=90.0, gamma=0.05, inside=None, variant="authors"):
    """Edges p, q (flat indices) and their weights."""
    h, w = a.shape
    inside = np.ones(a.shape, bool) if inside is None else inside
    index = np.arange(a.size).reshape(a.shape)
    p, q, s, penalty = [], [], [], []
    for dr, dc in STEPS:
        rows, columns = slice(0, h - dr), slice(max(0, -dc), w - max(0, dc))
        first = index[rows, columns].ravel()
        second = first + dr * w + dc
        keep = inside.ravel()[first] & inside.ravel()[second]
        first, second = first[keep], second[keep]
        p.append(first)
        q.append(second)
        s.append(np.abs(a.ravel()[first] - a.ravel()[second]))
        steps = {
            "authors": gamma * (dc != 0),
            "paper": gamma * (dc != 0) * np.hypot(dr, dc),
            "port": gamma * (dc == 0),
        }
        penalty.append(np.full(len(first), steps[variant]))
    p, q, s, penalty = (np.concatenate(v) for v in (p, q, s, penalty))
    s = s / (s.max(initial=0) + EPS)
    s = s + penalty
    s = s / (s.max(initial=0) + EPS)
    return p, q, np.exp(-beta * s) + (1e-6 if variant == "port" else 1e-5)


def solve(shape, p, q, w, value):
    """Probability to reach a seed of value 1 first; `value` (H, W) holds 1, 0 or NaN where it is sought."""
    n = int(np.prod(shape))
    adjacency = sp.coo_matrix((np.r_[w, w], (np.r_[p, q], np.r_[q, p])), (n, n)).tocsr()
    laplacian = sp.diags(np.asarray(adjacency.sum(axis=1)).ravel()) - adjacency
    x = np.asarray(value, float).ravel().copy()
    unknown = np.isnan(x)
    # A pixel from which no path leads to a seed never reaches the source.
    _, label = sp.csgraph.connected_components(adjacency, directed=False)
    lost = unknown & ~np.isin(label, label[~unknown])
    x[lost] = 0
    unknown &= ~lost
    if unknown.any():
        right = adjacency[unknown][:, ~unknown] @ x[~unknown]
        x[unknown] = spsolve(laplacian[unknown][:, unknown].tocsc(), right)
    return x.reshape(shape)


def seeds(x, sink_mode="all", sources=None, sinks=None, inside=None):
    """(H, W): 1 on sources, 0 on sinks and outside the mask, NaN elsewhere."""
    value = np.full(x.shape, np.nan)
    if sink_mode == "all":
        value[-1] = 0
    elif sink_mode == "mid":
        value[-1, x.shape[1] // 2] = 0
    elif sink_mode == "min":
        margin = int(x.shape[1] * 0.1)
        columns = np.arange(margin, x.shape[1] - margin)
        value[-1, columns[x[-1, columns] == x[-1, columns].min()]] = 0
    elif sink_mode == "mask":
        value[sinks] = 0
    if sources is None:
        value[0] = 1
    else:
        value[sources] = 1
    if inside is not None:
        value[~inside] = 0
    return value


def confidence_map(
    image,
    alpha=2.0,
    beta=90.0,
    gamma=0.05,
    *,
    mode="B",
    variant="authors",
    sink_mode="all",
    sources=None,
    sinks=None,
    mask=None,
    depth=None,
):
    x, a = attenuated(image, alpha, mode, mask, depth, variant)
    sink_mode = "mask" if sinks is not None else sink_mode
    return solve(x.shape, *edges(a, beta, gamma, mask, variant), seeds(x, sink_mode, sources, sinks, mask))
