"""Correction of tracking errors: frames of overlapping sweeps are moved to where they agree with the other sweeps.

`refine_poses` does it; `overlap_ncc` tells how well each frame agrees with the others now.
"""

from usfast.compound.refinement.poses import Refinement, overlap_ncc, refine_poses

__all__ = ["Refinement", "overlap_ncc", "refine_poses"]
