"""Methods of compounding beyond the three of `compound_arrays`, one file each, with one signature.

``METHODS[name](frames, index, image_to_voxel, size, *, spacing, mask, importance, num_threads, progress, **options)``
takes arguments that the caller has checked and returns ``(volume, weight)``, both (Z, Y, X) float32; weight is above 0
where a voxel has a value. A method checks its own options.

By the voxel (each looks for its pixels): `voxel_nearest`, `inverse_distance`, `trajectory`. By the pixels in a sphere
around the voxel: `squared_distance`, `adaptive`, `median`. By functions fitted to the pixels: `radial_basis`,
`rayleigh`, `bspline`.
"""

from collections.abc import Callable

from usfast.compound.methods.adaptive import adaptive
from usfast.compound.methods.bspline import bspline
from usfast.compound.methods.inverse_distance import inverse_distance
from usfast.compound.methods.kernel import FloatVolume
from usfast.compound.methods.median import median
from usfast.compound.methods.radial_basis import radial_basis
from usfast.compound.methods.rayleigh import rayleigh
from usfast.compound.methods.squared_distance import squared_distance
from usfast.compound.methods.trajectory import trajectory
from usfast.compound.methods.voxel_nearest import voxel_nearest

__all__ = [
    "METHODS",
    "adaptive",
    "bspline",
    "inverse_distance",
    "median",
    "radial_basis",
    "rayleigh",
    "squared_distance",
    "trajectory",
    "voxel_nearest",
]

METHODS: dict[str, Callable[..., tuple[FloatVolume, FloatVolume]]] = {
    "voxel_nearest": voxel_nearest,
    "inverse_distance": inverse_distance,
    "trajectory": trajectory,
    "squared_distance": squared_distance,
    "adaptive": adaptive,
    "median": median,
    "radial_basis": radial_basis,
    "rayleigh": rayleigh,
    "bspline": bspline,
}
