"""Figures of a study."""

from __future__ import annotations

import numpy as np

from usfast import Volume
from usfast.report.evaluation import surface_error_figure, violin_figure


def test_violins_leave_out_what_is_not_finite() -> None:
    rows = [
        {"label": label, "dice": 0.9 + 0.01 * k, "hd95": np.inf if k == 1 else 1.0 + k, "nsd_1mm": 1.0}
        for label in (1, 2)
        for k in range(4)
    ]
    fig = violin_figure(rows, {1: "GM", 2: "GL"})
    shown = [ax for ax in fig.axes if ax.axison]
    assert [ax.get_title() for ax in shown] == ["Dice", "HD95 (mm)", "normalised surface Dice"]
    assert [tick.get_text() for tick in shown[0].get_xticklabels()] == ["GM", "GL"]
    assert [text.get_text() for text in shown[1].texts] == ["1 not finite"] * 2


def test_surface_errors_have_the_right_sign() -> None:
    from usfast.report.evaluation import _painted_mesh

    ref = np.zeros((20, 20, 20), bool)
    ref[6:14, 6:14, 6:14] = True
    larger, smaller = np.zeros_like(ref), np.zeros_like(ref)
    larger[4:16, 4:16, 4:16] = True
    smaller[8:12, 8:12, 8:12] = True
    for pred, expected in ((larger, 2.0), (smaller, -2.0), (ref, 0.0)):
        *_, error = _painted_mesh(pred, ref, (1.0, 1.0, 1.0))
        assert abs(np.median(error) - expected) < 0.5


def test_empty_structures_are_said_to_be_empty() -> None:
    empty = Volume(np.zeros((5, 5, 5), np.uint8), 1.0)
    fig = surface_error_figure(empty, empty, [1])
    assert fig.axes[0].texts[0].get_text() == "empty"
