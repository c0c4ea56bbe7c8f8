"""Labels grown from seeds: Dijkstra's search over the whole volume at once, with a heap of Python tuples."""

from __future__ import annotations

import heapq
from itertools import product

import numpy as np
from numpy.typing import NDArray


def grow_from_seeds(
    levels: NDArray[np.int64],
    seeds: NDArray[np.integer],
    mask: NDArray[np.bool_] | None,
    step: tuple[float, float, float],
    diagonals: bool,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return (labels, cost): cheapest paths from the seeds, the smaller label where two are as cheap."""
    inside = np.ones(levels.shape, bool) if mask is None else mask
    label, cost = np.zeros(levels.shape, np.int64), np.full(levels.shape, np.inf)
    offsets = [o for o in product((-1, 0, 1), repeat=3) if any(o) and (diagonals or sum(map(abs, o)) == 1)]
    own = {o: int(np.sqrt(sum((s * d) ** 2 for s, d in zip(step, o, strict=True))) + 0.5) for o in offsets}
    heap = []
    for at in map(tuple, np.argwhere((seeds > 0) & inside)):
        label[at], cost[at] = seeds[at], 0
        heap.append((0.0, int(seeds[at]), at))
    heapq.heapify(heap)
    while heap:
        so_far, which, at = heapq.heappop(heap)
        if (so_far, which) != (cost[at], label[at]):
            continue
        for o in offsets:
            to = tuple(a + b for a, b in zip(at, o, strict=True))
            if any(not 0 <= t < n for t, n in zip(to, levels.shape, strict=True)) or not inside[to] or seeds[to] > 0:
                continue
            found = so_far + abs(int(levels[at]) - int(levels[to])) + own[o]
            if found < cost[to] or (found == cost[to] and which < label[to]):
                cost[to], label[to] = found, which
                heapq.heappush(heap, (found, which, to))
    return label, cost
