"""Beamforming: the signals of a transducer's elements become an image.

`delay_and_sum` takes channel data (transmits, elements, samples), RF or IQ, and any points; `envelope` and
`log_compress` make a B-mode image of what it gives, `scan_convert` puts scan lines where they belong.

Conventions
-----------
* Lengths are mm, frequencies MHz, times seconds, speeds of sound m/s.
* The probe frame: origin in the middle of the transducer's face, x lateral, y along the beam into the tissue, z
  elevational. Points are (..., 2): x, y, or (..., 3).
* The front of a transmit passes its `reference` point (the origin by default) at time zero.
"""

from usfast.beamform.das import INTERPOLATIONS, WINDOWS, delay_and_sum
from usfast.beamform.envelope import analytic_signal, demodulate, envelope, log_compress
from usfast.beamform.forward import simulate_channel_data
from usfast.beamform.grids import cartesian_grid
from usfast.beamform.plus import RfProcessing, plus_brightness, read_scan_conversion
from usfast.beamform.scan import CurvilinearScan, LinearScan, scan_convert
from usfast.beamform.transducer import Transducer, directivity_f_number
from usfast.beamform.transmits import ElementDelays, PlaneWave, Transmit, VirtualSource, insonified

__all__ = [
    "INTERPOLATIONS",
    "WINDOWS",
    "CurvilinearScan",
    "ElementDelays",
    "LinearScan",
    "PlaneWave",
    "RfProcessing",
    "Transducer",
    "Transmit",
    "VirtualSource",
    "analytic_signal",
    "cartesian_grid",
    "delay_and_sum",
    "demodulate",
    "directivity_f_number",
    "envelope",
    "insonified",
    "log_compress",
    "plus_brightness",
    "read_scan_conversion",
    "scan_convert",
    "simulate_channel_data",
]
