"""Scores of trajectories by explicit displacement fields, and the metrics as loops over the printed formulas."""

from __future__ import annotations

import numpy as np


def displacement_fields(tforms, scale, calibration, shape):
    """(N-1, 3, H * W) global and local displacements: 1-based pixels, row by row."""
    pixels = np.array([[u, v, 0, 1] for v in range(1, shape[0] + 1) for u in range(1, shape[1] + 1)], float).T
    inverse = np.linalg.inv(calibration)
    fields = []
    for reference in ([0] * (len(tforms) - 1), range(len(tforms) - 1)):
        chain = [
            inverse @ np.linalg.inv(tforms[j]) @ tforms[i] @ calibration
            for i, j in zip(range(1, len(tforms)), reference, strict=True)
        ]
        fields.append(np.stack([((t - np.eye(4)) @ scale @ pixels)[:3] for t in chain]))
    return fields


def tus_rec_errors(predicted, true, scale, calibration, shape, landmarks):
    """GPE, GLE, LPE, LLE from the fields; landmarks on frame 0 have no displacement."""
    found = []
    for guess, field in zip(
        displacement_fields(predicted, scale, calibration, shape),
        displacement_fields(true, scale, calibration, shape),
        strict=True,
    ):
        found.append(np.linalg.norm(guess - field, axis=1).mean())
        at = [
            np.linalg.norm((guess - field)[frame - 1, :, (y - 1) * shape[1] + x - 1]) if frame else 0.0
            for frame, x, y in landmarks
        ]
        found.append(np.mean(at))
    return found


def drift_metrics(predicted, true, denominator, min_path):
    """FDR, ADR, MD, SD, HD of one point, (N, 3) each."""
    count = len(true)
    error = [np.sqrt(((predicted[i] - true[i]) ** 2).sum()) for i in range(count)]
    way = [0.0]
    for k in range(1, count):
        step = np.sqrt(((true[k] - true[k - 1]) ** 2).sum())
        way.append(way[-1] + step if denominator == "path" else np.sqrt(((true[k] - true[0]) ** 2).sum()))
    rates = [error[i] / way[i] for i in range(1, count) if way[i] >= min_path and way[i] > 0]
    table = np.sqrt(((predicted[:, None] - true[None]) ** 2).sum(axis=2))
    hausdorff = max(table.min(axis=1).max(), table.min(axis=0).max())
    return error[-1] / way[-1], sum(rates) / len(rates), max(error), sum(error), hausdorff
