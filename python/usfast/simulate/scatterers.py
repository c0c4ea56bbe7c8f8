"""Scatterers: points that fill the tissue, fixed in the world, computed where they are needed and stored nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast import _core
from usfast.simulate.arguments import as_pose, as_probe, as_seed
from usfast.simulate.probe import Probe

__all__ = ["Scatterers", "find_scatterers", "lattice_pitch"]

_MOST = 3e7  # scatterers a frame; 28 bytes each
_TABLE_STEP = 0.25  # mm


@dataclass(frozen=True, eq=False)
class Scatterers:
    """Scatterers that a probe can see at a pose.

    Attributes
    ----------
    positions : (M, 3) float32 array
        World mm.
    lateral : (M,) float32 array
        Where across the lines: mm (linear) or radians (convex).
    depth, elevation : (M,) float32 array
        Below the face, and across the image plane; mm.
    amplitude : (M,) float32 array
        +1 or -1.
    pitch : float
        Side of the cube that holds one scatterer, mm; the density is ``pitch**-3``.
    """

    positions: NDArray[np.float32]
    lateral: NDArray[np.float32]
    depth: NDArray[np.float32]
    elevation: NDArray[np.float32]
    amplitude: NDArray[np.float32]
    pitch: float

    def __len__(self) -> int:
        return len(self.depth)


def lattice_pitch(probe: Probe, scatterers_per_cell: float) -> float:
    """Return the distance of scatterers, mm, that puts so many into the image's smallest resolution cell.

    A resolution cell measures ``(2 pi)**1.5`` times the sigmas of the point-spread function: the volume whose
    scatterers bring the fourth moment of the echo as close to a Gaussian's as that number of equal echoes would.
    The pitch is rounded to three digits so that settings that are nearly the same share their scatterers.

    Parameters
    ----------
    probe : LinearProbe or ConvexProbe
    scatterers_per_cell : float

    Returns
    -------
    float

    Examples
    --------
    >>> from usfast.simulate import LinearProbe
    >>> lattice_pitch(LinearProbe(), 10) < lattice_pitch(LinearProbe(), 5)
    True
    """
    depth = probe.sample_depths
    areas = probe.lateral_sigma(depth) * probe.elevational_sigma(depth)
    cell = (2 * pi) ** 1.5 * probe.axial_sigma * float(areas.min())
    return float(f"{(cell / scatterers_per_cell) ** (1 / 3):.3g}")


def find_scatterers(
    probe: Probe,
    probe_to_world: ArrayLike,
    *,
    scatterers_per_cell: float = 10.0,
    cutoff: float = 2.8,
    seed: int = 0,
) -> Scatterers:
    """Return the scatterers within reach of the image plane.

    World space is divided into cubes; each holds one scatterer, whose place in the cube and amplitude are a hash of
    the seed and the cube's indices. The same tissue so answers with the same scatterers at every pose.

    Parameters
    ----------
    probe : LinearProbe or ConvexProbe
    probe_to_world : (4, 4) array
        Rigid.
    scatterers_per_cell : float
        See `lattice_pitch`.
    cutoff : float
        How many sigmas of the point-spread function to look beyond the image.
    seed : int

    Returns
    -------
    Scatterers
        In an order that depends on the pose and on nothing else.

    Raises
    ------
    ValueError
        If arguments are out of range or would need more than 30 million scatterers.
    GeometryError
        If the pose is not finite and rigid.

    Notes
    -----
    Amplitudes are +1 or -1 and not Gaussian. With N scatterers in a cell the second moment of the intensity is
    ``2 + (k - 2 + f) / N`` times its squared mean, k being the kurtosis of the amplitude and f what remains of the
    fluctuation of density: 0 on a perfect lattice, 2 for scatterers thrown at random, about 1.1 here, where a cube is
    longer than the pulse. Equal magnitudes (k = 1) bring it within 0.1 / N of a Rayleigh envelope's 2; Gaussian ones
    (k = 3) would need 20 times the scatterers.

    Examples
    --------
    >>> import numpy as np
    >>> from usfast.simulate import LinearProbe
    >>> found = find_scatterers(LinearProbe(width=5, depth=5), np.eye(4))
    >>> found.positions.shape == (len(found), 3), bool(abs(found.amplitude.mean()) < 0.1)
    (True, True)
    """
    as_probe(probe)
    pose = as_pose(probe_to_world)
    number = as_seed(seed)
    if not 0 < scatterers_per_cell <= 1000:
        raise ValueError(f"scatterers_per_cell must be above 0, at most 1000, not {scatterers_per_cell!r}")
    if not 1 <= cutoff <= 6:
        raise ValueError(f"cutoff must be from 1 to 6 sigmas, not {cutoff!r}")
    pitch = lattice_pitch(probe, scatterers_per_cell)
    first = -4 * probe.axial_sigma
    rows = int(np.ceil((probe.depth + 8 * probe.axial_sigma) / _TABLE_STEP))
    depth = np.maximum(first + (np.arange(rows) + 0.5) * _TABLE_STEP, 0)
    elevation = cutoff * probe.elevational_sigma(depth)
    reach = probe.face_radius + depth if probe.face_radius else np.ones(rows)  # mm a unit of lateral
    lateral = probe.line_laterals[-1] + cutoff * probe.lateral_sigma(depth) / reach
    expected = float(np.sum(4 * lateral * reach * elevation)) * _TABLE_STEP / pitch**3
    if not expected <= _MOST:
        raise ValueError(
            f"a frame of this probe would take {expected:.2g} scatterers, more than {_MOST:g}: "
            "ask for fewer scatterers_per_cell, or a smaller or coarser image"
        )
    found = _core.find_scatterers(
        probe.face_radius,
        first,
        _TABLE_STEP,
        lateral.astype(np.float32),
        elevation.astype(np.float32),
        pose,
        pitch,
        number,
    )
    return Scatterers(*found, pitch)


def echo_gain(probe: Probe, pitch: float) -> NDArray[np.float32]:
    """(samples,) factor that gives scatterers of unit variance a mean envelope of 1 at every depth.

    The mean square of the sum is the density times the integral of the squared point-spread function,
    ``pi**1.5`` times its sigmas; the mean of a Rayleigh envelope is ``sqrt(pi) / 2`` of its root mean square.
    """
    depth = probe.sample_depths
    energy = pi**1.5 * probe.axial_sigma * probe.lateral_sigma(depth) * probe.elevational_sigma(depth)
    return np.asarray(2 / np.sqrt(pi) / np.sqrt(energy / pitch**3), np.float32)
