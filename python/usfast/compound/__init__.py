"""Compounding: the pixels of a tracked sweep become the voxels of a volume.

`compound` takes a `Sweep` and returns a `CompoundResult`; `compound_arrays` takes and returns plain arrays;
`fill_holes` closes the gaps between frames. ``compat="plus"`` reproduces PLUS/IGSIO bit for bit. `Compounder` takes
frames as they come, `compound_to_file` works from disk to disk; `edge_feather`, `frame_quality`, `angle_weights` and
`combine` give the weights for ``mode="weighted"``. `slice_volume` is the adjoint: what frames would show of a volume;
`refine_poses` corrects the tracking errors of overlapping sweeps.
"""

from usfast.compound.arrays import INTERPOLATION_METHODS, METHODS, MODES, compound_arrays
from usfast.compound.compounder import Compounder
from usfast.compound.holes import FILLS, fill_holes
from usfast.compound.refinement import Refinement, overlap_ncc, refine_poses
from usfast.compound.slicing import slice_volume
from usfast.compound.streaming import compound_to_file
from usfast.compound.sweeps import CompoundResult, compound
from usfast.compound.weighting import angle_weights, combine, edge_feather, frame_quality

__all__ = [
    "FILLS",
    "INTERPOLATION_METHODS",
    "METHODS",
    "MODES",
    "CompoundResult",
    "Compounder",
    "Refinement",
    "angle_weights",
    "combine",
    "compound",
    "compound_arrays",
    "compound_to_file",
    "edge_feather",
    "fill_holes",
    "frame_quality",
    "overlap_ncc",
    "refine_poses",
    "slice_volume",
]
