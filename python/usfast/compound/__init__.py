"""Compounding: the pixels of a tracked sweep become the voxels of a volume.

`compound` takes a `Sweep` and returns a `CompoundResult`; `compound_arrays` takes and returns plain arrays;
`fill_holes` closes the gaps between frames. ``compat="plus"`` reproduces PLUS/IGSIO bit for bit.
"""

from usfast.compound.arrays import METHODS, MODES, compound_arrays
from usfast.compound.holes import FILLS, fill_holes
from usfast.compound.sweeps import CompoundResult, compound

__all__ = ["FILLS", "METHODS", "MODES", "CompoundResult", "compound", "compound_arrays", "fill_holes"]
