"""Triangle meshes in world coordinates: volume, area, closure, and files that other programs read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import FormatError
from usfast.io.atomic import replacing

__all__ = ["Mesh"]

_FORMATS = (".stl", ".ply", ".obj")
_CHUNK = 1 << 18  # faces or vertices at a time: bounds the memory


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles.

    Parameters
    ----------
    vertices : (V, 3) array
        World positions (x, y, z), mm.
    faces : (F, 3) integer array
        Vertices of each triangle, anticlockwise seen from outside.

    Raises
    ------
    ValueError
        If shapes are wrong, a number is not finite or a face names a vertex that is not there.

    Examples
    --------
    >>> corners = [[0, 0, 0], [10, 0, 0], [0, 10, 0], [0, 0, 30]]
    >>> mesh = Mesh(corners, [[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
    >>> round(mesh.volume_ml, 3), mesh.is_closed
    (0.5, True)
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.int64]

    def __init__(self, vertices: ArrayLike, faces: ArrayLike) -> None:
        points, corners = np.ascontiguousarray(vertices, np.float64), np.asarray(faces)
        if points.ndim != 2 or points.shape[1] != 3 or not np.isfinite(points).all():
            raise ValueError(f"vertices must be finite numbers (V, 3), not an array of shape {points.shape}")
        if corners.ndim != 2 or corners.shape[1] != 3 or corners.dtype.kind not in "iu":
            raise ValueError(f"faces must be integers (F, 3), not {corners.dtype} {corners.shape}")
        if corners.size and not 0 <= int(corners.min()) <= int(corners.max()) < len(points):
            raise ValueError(f"faces name vertices {corners.min()} to {corners.max()}, but there are {len(points)}")
        object.__setattr__(self, "vertices", points)
        object.__setattr__(self, "faces", np.ascontiguousarray(corners, np.int64))

    @property
    def volume_ml(self) -> float:
        """Enclosed volume, ml, by the divergence theorem; negative if the faces look inwards. Needs a closed mesh."""
        if not len(self.faces):
            return 0.0
        total, middle = 0.0, self.vertices.mean(axis=0)
        for start in range(0, len(self.faces), _CHUNK):
            a, b, c = (self.vertices[self.faces[start : start + _CHUNK, k]] - middle for k in range(3))
            total += float(np.einsum("ij,ij->", a, np.cross(b, c)))
        return total / 6 / 1000

    @property
    def area_cm2(self) -> float:
        """Area of the surface, cm2."""
        return float(sum(np.linalg.norm(part, axis=1).sum() for part in self._normals())) / 2 / 100

    @property
    def is_closed(self) -> bool:
        """Whether every edge joins exactly two faces that look to the same side: watertight and well oriented."""
        if not len(self.faces):
            return False
        count = len(self.vertices)
        one, other = self.faces.ravel(), self.faces[:, [1, 2, 0]].ravel()
        if (one == other).any():
            return False
        there, back = np.sort(one * count + other), np.sort(other * count + one)
        return bool((there[1:] != there[:-1]).all() and np.array_equal(there, back))

    def write(self, path: str | Path) -> None:
        """Write binary STL, binary PLY (little endian, float32) or OBJ, as the name ends.

        Coordinates are those of the mesh: the world in mm, as ITK has it. The header says ``SPACE=LPS``, by which
        3D Slicer knows that it must not turn x and y (it shows RAS). STL repeats every vertex: prefer PLY.

        Raises
        ------
        FormatError
            If the name ends otherwise.
        ValueError
            If there are no faces.
        OSError
            From the file system; an old file stays as it was.
        """
        target = Path(path)
        kind = target.suffix.lower()
        if kind not in _FORMATS:
            raise FormatError(f"{target}: meshes are written as {', '.join(_FORMATS)}, not {kind or 'without ending'}")
        if not len(self.faces):
            raise ValueError("the mesh has no faces: there is nothing to write")
        with replacing(target) as draft, open(draft, "wb") as file:
            {".stl": self._stl, ".ply": self._ply, ".obj": self._obj}[kind](file)

    def _normals(self) -> list[NDArray[np.float64]]:
        parts = []
        for start in range(0, len(self.faces), _CHUNK):
            a, b, c = (self.vertices[self.faces[start : start + _CHUNK, k]] for k in range(3))
            parts.append(np.cross(b - a, c - a))
        return parts

    def _stl(self, file: IO[bytes]) -> None:
        # The header must not begin with "solid": readers would take the file for text.
        file.write(b"usfast; SPACE=LPS; unit mm".ljust(80, b" "))
        file.write(np.uint32(len(self.faces)).astype("<u4").tobytes())
        record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
        for number, normal in enumerate(self._normals()):
            part = self.faces[number * _CHUNK : (number + 1) * _CHUNK]
            rows = np.zeros(len(part), record)
            length = np.linalg.norm(normal, axis=1, keepdims=True)
            rows["normal"] = np.divide(normal, length, out=np.zeros_like(normal), where=length > 0)
            rows["corners"] = self.vertices[part]
            file.write(rows.tobytes())

    def _ply(self, file: IO[bytes]) -> None:
        file.write(
            "ply\nformat binary_little_endian 1.0\ncomment usfast; unit mm\ncomment SPACE=LPS\n"
            f"element vertex {len(self.vertices)}\nproperty float x\nproperty float y\nproperty float z\n"
            f"element face {len(self.faces)}\nproperty list uchar int vertex_indices\nend_header\n".encode("ascii")
        )
        file.write(self.vertices.astype("<f4").tobytes())
        rows = np.zeros(len(self.faces), [("count", "u1"), ("corners", "<i4", 3)])
        rows["count"], rows["corners"] = 3, self.faces
        file.write(rows.tobytes())

    def _obj(self, file: IO[bytes]) -> None:
        file.write(b"# usfast; unit mm\n# SPACE=LPS\n")
        for start in range(0, len(self.vertices), _CHUNK):
            np.savetxt(file, self.vertices[start : start + _CHUNK], "v %.6g %.6g %.6g")
        for start in range(0, len(self.faces), _CHUNK):
            np.savetxt(file, self.faces[start : start + _CHUNK] + 1, "f %d %d %d")
