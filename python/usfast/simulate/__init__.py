"""Sweeps that never were: B-mode of phantoms with physical speckle, slices of volumes, whole data sets."""

from usfast.simulate.annotations import drawn_by_hand
from usfast.simulate.bmode import (
    BModeFrame,
    BModeFrames,
    iter_bmode,
    simulate_bmode,
    simulate_envelope,
    simulate_frame,
    simulate_iq,
)
from usfast.simulate.borders import COMPLETED, DISTINCT
from usfast.simulate.dataset import write_dataset
from usfast.simulate.dataset_reader import Dataset, DatasetSweep, Subject, read_dataset
from usfast.simulate.probe import SPEED_OF_SOUND, ConvexProbe, LinearProbe, Probe
from usfast.simulate.resample import resample
from usfast.simulate.scatterers import Scatterers, find_scatterers
from usfast.simulate.settings import FILTERS, BModeSettings

__all__ = [
    "COMPLETED",
    "DISTINCT",
    "FILTERS",
    "SPEED_OF_SOUND",
    "BModeFrame",
    "BModeFrames",
    "BModeSettings",
    "ConvexProbe",
    "Dataset",
    "DatasetSweep",
    "LinearProbe",
    "Probe",
    "Scatterers",
    "Subject",
    "drawn_by_hand",
    "find_scatterers",
    "iter_bmode",
    "read_dataset",
    "resample",
    "simulate_bmode",
    "simulate_envelope",
    "simulate_frame",
    "simulate_iq",
    "write_dataset",
]
