"""Files: tracked sweeps, pose streams, volumes and PLUS configurations, in and out.

Readers take nothing in a file on trust: sizes are checked against the file and the memory available before
anything is allocated, and what cannot be read is a `usfast.FormatError` that names file and key, line or
byte. Writers replace a file only when the new one is complete. SimpleITK, h5py, pydicom and imageio are
loaded when a format needs them.
"""

from usfast.io.calibration import Calibration, read_calibration
from usfast.io.config import HoleFillingElement, PlusConfig, Reconstruction, read_config
from usfast.io.describe import Description, describe
from usfast.io.raw_volume import VolumeParts, map_volume, volume_parts
from usfast.io.sequence import read_frames
from usfast.io.sweeps import iter_sweep, read_sweep, write_sweep
from usfast.io.tracked import TrackedSequence, read_transforms
from usfast.io.volumes import read_volume, write_volume

__all__ = [
    "Calibration",
    "Description",
    "HoleFillingElement",
    "PlusConfig",
    "Reconstruction",
    "TrackedSequence",
    "VolumeParts",
    "describe",
    "iter_sweep",
    "map_volume",
    "read_calibration",
    "read_config",
    "read_frames",
    "read_sweep",
    "read_transforms",
    "read_volume",
    "volume_parts",
    "write_sweep",
    "write_volume",
]
