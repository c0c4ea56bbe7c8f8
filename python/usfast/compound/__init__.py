"""Compounding: the pixels of a tracked sweep become the voxels of a volume.

`compound` takes a `Sweep` and returns a `CompoundResult`; `compound_arrays` takes and returns plain arrays;
`fill_holes` closes the gaps between frames; `refine_poses` corrects tracking errors of overlapping sweeps;
`slice_volume` is the adjoint: what frames would show of a volume. ``compat="plus"`` reproduces PLUS/IGSIO bit for bit.
"""

from usfast.compound.arrays import METHODS, MODES, compound_arrays
from usfast.compound.holes import FILLS, fill_holes
from usfast.compound.refinement import Refinement, overlap_ncc, refine_poses
from usfast.compound.slicing import slice_volume
from usfast.compound.sweeps import CompoundResult, compound

__all__ = [
    "FILLS",
    "METHODS",
    "MODES",
    "CompoundResult",
    "Refinement",
    "compound",
    "compound_arrays",
    "fill_holes",
    "overlap_ncc",
    "refine_poses",
    "slice_volume",
]
