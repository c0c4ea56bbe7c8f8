"""Figures of sweeps and volumes. Nothing here touches pyplot or its global state."""

from usfast.report.confidence_view import confidence_figure
from usfast.report.save import figure_format, save_figure
from usfast.report.scale_bar import bar_length
from usfast.report.slices import slices_figure
from usfast.report.sweep_view import sweep_figure

__all__ = [
    "bar_length",
    "confidence_figure",
    "figure_format",
    "save_figure",
    "slices_figure",
    "sweep_figure",
]
