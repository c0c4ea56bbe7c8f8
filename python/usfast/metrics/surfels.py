"""Areas of surfels: what marching cubes would put around a corner of the voxel grid.

The corner between eight voxels (four pixels in 2D) carries the triangles that marching cubes draws for the cube
of their centres. Which triangles that are is taken as in DeepMind's surface-distance (S. Nikolov et al.,
arXiv:1809.04430), which follows the table of Lorensen and Cline (SIGGRAPH 1987): only then do areas agree with it.
"""

from __future__ import annotations

from math import hypot

import numpy as np
from numpy.typing import NDArray

__all__ = ["contour_lengths", "surfel_areas"]

# A triangle between midpoints of the cube's edges has one of nine normals, up to signs; in eighths of a face of
# the unit cube, for (z, y, x).
_NORMAL = {
    "c": (1, 1, 1),
    "i": (0, 2, 2),
    "j": (2, 0, 2),
    "k": (2, 2, 0),
    "x": (4, 0, 0),
    "y": (0, 4, 0),
    "z": (0, 0, 4),
    "q": (2, 2, 2),
    "t": (3, 3, 3),
}
# The triangles of codes 0 to 127; the complement of a code has the same.
_TRIANGLES = (
    "- c c kk c jj cc cqx c cc jj cqx kk cqx cqx xx c ii cc cqy cc cqz ccc ccqq cc cii cjj cijt ckk cikt "
    "ccqx cqx c cc ii cqy cc cjj cii cijt cc ccc cqz ccqq ckk ccqx cikt cqx kk cqy cqy yy ckk cjkt ccqy "
    "cqy ckk ccqy cjkt cqy kkkk ckk ckk kk c cc cc ckk ii cqz cii cikt cc ccc cjj ccqx cqy ccqq cijt cqx "
    "jj cqz cjj cjkt cqz zz ccqz cqz cjj ccqz jjjj cjj cjkt cqz cjj jj cc ccc cii ccqy cii ccqz iiii cii "
    "ccc cccc ccqz ccc ccqy ccc cii cc cqx ccqq cijt cqy cikt cqz cii ii ccqx ccc cjj cc ckk cc cc c "
)


def surfel_areas(spacing: tuple[float, float, float]) -> NDArray[np.float64]:
    """Return the area around a corner for each code of the eight voxels around it.

    Parameters
    ----------
    spacing : (z, y, x), mm

    Returns
    -------
    (256,) float64 array, mm2
        Bit ``4 dz + 2 dy + dx`` of the code stands for the voxel on that side of the corner.

    Examples
    --------
    >>> areas = surfel_areas((1.0, 1.0, 1.0))
    >>> float(areas[0b00001111]), round(float(areas[1]), 4)
    (1.0, 0.2165)
    """
    sz, sy, sx = spacing
    face = np.array([sy * sx, sz * sx, sz * sy]) / 8
    area = {name: float(np.linalg.norm(normal * face)) for name, normal in _NORMAL.items()}
    half = [sum(area[name] for name in word if name != "-") for word in _TRIANGLES.split()]
    return np.array(half + half[::-1])


def contour_lengths(spacing: tuple[float, float]) -> NDArray[np.float64]:
    """Return the length of the contour around a corner for each code of the four pixels around it.

    Parameters
    ----------
    spacing : (y, x), mm

    Returns
    -------
    (256,) float64 array, mm
        Indexed as `surfel_areas`, with pixels in the half of the code where dz is 1.

    Examples
    --------
    >>> float(contour_lengths((2.0, 1.0))[0b1100 << 4])  # both lower pixels inside
    1.0
    """
    sy, sx = spacing
    diagonal = 0.5 * hypot(sy, sx)
    # Pixels (upper left, upper right, lower left, lower right) are bits 1, 2, 4, 8 of the half code.
    length = [0.0, diagonal, diagonal, sx, diagonal, sy, 2 * diagonal, diagonal]
    lengths = np.zeros(256)
    lengths[np.arange(16) << 4] = length + length[::-1]
    return lengths
