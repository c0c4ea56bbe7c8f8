"""Named coordinate frames: store the transforms a recording holds, ask for the one that is needed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast.errors import GeometryError

__all__ = ["TransformGraph", "apply", "invert", "split_name"]

_TO = re.compile(r"To(?=[^a-z])")
_SINGULAR = 1e-6  # of the determinant of the linear part's unit columns; `Sweep` uses the same


def split_name(name: str) -> tuple[str, str]:
    """Return the frames that a transform named as in PLUS leads from and to.

    The name must contain exactly one "To" followed by an upper-case letter (IGSIO, ``igsioTransformName``,
    takes anything that is not lower-case, and so does this); a trailing "Transform" is dropped and both frame
    names get a capital first letter.

    Parameters
    ----------
    name : str
        For example ``"ImageToProbeTransform"``.

    Returns
    -------
    (str, str)
        Source and target frame.

    Raises
    ------
    GeometryError
        If the name holds no such "To", several of them, or nothing on one side of it.

    Examples
    --------
    >>> split_name("ImageToProbeTransform")
    ('Image', 'Probe')
    >>> split_name("TestToolToTracker")
    ('TestTool', 'Tracker')
    """
    pair = name.removesuffix("Transform")
    found = [match.start() for match in _TO.finditer(pair)]
    if not found:
        raise GeometryError(f"transform name {name!r} must read <Source>To<Target>, e.g. ImageToProbe")
    if len(found) > 1:
        raise GeometryError(
            f"transform name {name!r} is ambiguous: {len(found)} times 'To' before an upper-case letter"
        )
    if found[0] == 0:
        raise GeometryError(f"transform name {name!r} has no source frame before 'To'")
    return _frame(pair[: found[0]]), _frame(pair[found[0] + 2 :])


def _frame(name: str) -> str:
    """Return the name of a frame with a capital first letter."""
    if not name:
        raise GeometryError("the name of a coordinate frame must not be empty")
    return name[0].upper() + name[1:]


def _as_affine(matrix: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(matrix, dtype=np.float64)
    if array.ndim < 2 or array.shape[-2:] != (4, 4):
        raise ValueError(f"a transform must have shape (..., 4, 4), not {array.shape}")
    return array


def invert(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return the inverse of affine transforms: ``[A t; 0 1]`` becomes ``[A⁻¹ -A⁻¹t; 0 1]``.

    Parameters
    ----------
    matrix : (..., 4, 4) array
        Affine transforms; the last row is taken as 0 0 0 1 and not read. Entries not finite give NaN.

    Returns
    -------
    (..., 4, 4) float64 array

    Raises
    ------
    ValueError
        If the last two axes are not (4, 4).
    GeometryError
        If a linear part is singular.

    Examples
    --------
    >>> invert([[2, 0, 0, 1], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])[0].tolist()
    [0.5, 0.0, 0.0, -0.5]
    """
    affine = _as_affine(matrix)
    finite = np.isfinite(affine[..., :3, :]).all(axis=(-2, -1))
    known = affine[finite]
    try:
        linear = np.linalg.inv(known[:, :3, :3])
    except np.linalg.LinAlgError:
        bad = np.flatnonzero(finite)[np.argmin(np.abs(np.linalg.det(known[:, :3, :3])))]
        raise GeometryError(f"transform {bad} of {finite.size} is singular and has no inverse") from None
    inverse = np.full(affine.shape, np.nan)
    inverse[..., 3, :] = (0.0, 0.0, 0.0, 1.0)
    inverse[finite, :3, :3] = linear
    inverse[finite, :3, 3] = -np.einsum("nij,nj->ni", linear, known[:, :3, 3])
    return inverse


def apply(matrix: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
    """Return points taken through affine transforms: ``A p + t``, points as column vectors.

    The leading axes of both broadcast: one matrix moves any number of points, N matrices move N points, and
    ``matrix[:, None]`` moves every point with every matrix.

    Parameters
    ----------
    matrix : (..., 4, 4) array
        Affine transforms; the last row is not read.
    points : (..., 3) array
        In the frame that the transforms start from (mm; pixels for the image).

    Returns
    -------
    (..., 3) float64 array

    Raises
    ------
    ValueError
        If the shapes are not (..., 4, 4) and (..., 3) or do not broadcast.

    Examples
    --------
    >>> apply(np.diag([0.1, 0.2, 1.0, 1.0]), [[10, 10, 0], [20, 0, 0]]).tolist()
    [[1.0, 2.0, 0.0], [2.0, 0.0, 0.0]]
    """
    affine = _as_affine(matrix)
    array = np.asarray(points, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != 3:
        raise ValueError(f"points must have shape (..., 3), not {array.shape}")
    try:
        np.broadcast_shapes(affine.shape[:-2], array.shape[:-1])
    except ValueError:
        raise ValueError(
            f"{affine.shape[:-2]} transforms and {array.shape[:-1]} points do not broadcast; "
            "matrix[:, None] moves every point with every transform"
        ) from None
    moved: NDArray[np.float64] = np.einsum("...ij,...j->...i", affine[..., :3, :3], array)
    return moved + affine[..., :3, 3]


@dataclass(frozen=True, eq=False)
class _Edge:
    """One transform as it was set; entries that are not OK hold the identity."""

    matrix: NDArray[np.float64]  # (4, 4) or (N, 4, 4)
    ok: NDArray[np.bool_]  # () or (N,)


def _usable(matrix: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where matrices are finite and invertible."""
    finite = np.asarray(np.isfinite(matrix).all(axis=(-2, -1)))
    linear = np.where(finite[..., None, None], matrix, 0.0)[..., :3, :3]
    lengths = np.linalg.norm(linear, axis=-2, keepdims=True)
    unit = linear / np.where(lengths > 0, lengths, 1.0)
    usable: NDArray[np.bool_] = finite & (np.abs(np.linalg.det(unit)) > _SINGULAR)
    return usable


def _edge(name: str, matrix: ArrayLike, status: ArrayLike | None) -> _Edge:
    """Check one transform and its status and make an edge of them."""
    array = np.asarray(matrix, dtype=np.float64)
    if array.ndim not in (2, 3) or array.shape[-2:] != (4, 4) or array.size == 0:
        raise ValueError(f"{name} must have shape (4, 4) or (N, 4, 4), not {array.shape}")
    given = np.asarray(True if status is None else status)
    if given.dtype != bool:
        raise TypeError(f"the status of {name} must be bool (True = OK), not {given.dtype}")
    if given.ndim and given.shape != array.shape[:-2]:
        raise ValueError(f"the status of {name} has shape {given.shape}, but the matrices {array.shape}")
    ok = np.asarray(_usable(array) & given)
    bad = np.flatnonzero(ok & (array[..., 3, :] != (0.0, 0.0, 0.0, 1.0)).any(axis=-1))
    if bad.size:
        row = array.reshape(-1, 4, 4)[bad[0], 3].tolist()
        which = f" of frame {bad[0]}" if array.ndim == 3 else ""
        raise GeometryError(f"{name}{which} must end in the row 0 0 0 1, not {row}; is it transposed?")
    return _Edge(np.where(ok[..., None, None], array, np.eye(4)), ok)


class TransformGraph:
    """Transforms between named frames, composed on demand (vtkIGSIOTransformRepository).

    The frames and the transforms that were set form a forest: between two frames there is at most one path.
    Names are compared after their first letter is made a capital: "image" and "Image" are one frame.

    Examples
    --------
    >>> graph = TransformGraph()
    >>> graph.set("Image", "Probe", np.diag([0.1, 0.1, 0.1, 1.0]))
    >>> tracked = np.tile(np.eye(4), (3, 1, 1))
    >>> tracked[:, 2, 3] = (0.0, 1.0, 2.0)  # the probe moves along z
    >>> graph.set("Probe", "Tracker", tracked, status=[True, False, True])
    >>> image_to_tracker, ok = graph.get("Image", "Tracker")
    >>> image_to_tracker.shape, ok.tolist()
    ((3, 4, 4), [True, False, True])
    >>> image_to_tracker[2, :3, 3].tolist()
    [0.0, 0.0, 2.0]
    """

    def __init__(self) -> None:
        self._edges: dict[tuple[str, str], _Edge] = {}

    @property
    def frames(self) -> tuple[str, ...]:
        """Names of the known frames, in the order in which they were first set."""
        return tuple(dict.fromkeys(frame for pair in self._edges for frame in pair))

    def set(self, source: str, target: str, matrix: ArrayLike, status: ArrayLike | None = None) -> None:
        """Add the transform from `source` to `target`; setting the same one again replaces it.

        Parameters
        ----------
        source, target : str
            Frame names.
        matrix : (4, 4) or (N, 4, 4) array
            Takes column vectors in `source` to `target` (mm; image = pixels). One matrix serves all frames.
        status : bool or (N,) bool array, optional
            True where the transform is OK. Default: everywhere. Entries that are not finite or are singular
            are never OK.

        Raises
        ------
        ValueError, TypeError
            If `matrix` or `status` has the wrong shape or dtype.
        GeometryError
            If the two frames are the same or already connected another way (the inverse is another way), the
            number of matrices differs from that of another transform here, or a matrix is not affine.
        """
        key = _frame(source), _frame(target)
        name = "{}To{}".format(*key)
        if key[0] == key[1]:
            raise GeometryError(f"{name} leads from a frame to itself")
        if key not in self._edges and (path := self._paths(key[0]).get(key[1])):
            raise GeometryError(
                f"{name} cannot be set: a transform path already exists between the two ({' -> '.join(path)})"
            )
        edge = _edge(name, matrix, status)
        self._check_count(key, edge)
        self._edges[key] = edge

    def get(self, source: str, target: str) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the transform from `source` to `target`, composed along the path between them.

        Parameters
        ----------
        source, target : str
            Frame names. From a frame to itself the transform is the identity.

        Returns
        -------
        matrix : (4, 4) or (N, 4, 4) float64 array
            A new array; (4, 4) where no transform on the path changes from frame to frame. NaN where not OK.
        ok : () or (N,) bool array
            True where every transform on the path is OK.

        Raises
        ------
        GeometryError
            If no path connects the two; the message lists what is known and what can be reached.
        """
        start, end = _frame(source), _frame(target)
        path = self._paths(start).get(end)
        if path is None:
            raise GeometryError(self._no_path(start, end))
        matrix, ok = np.eye(4), np.array(True)
        for step in pairwise(path):
            edge = self._edges.get(step)
            if edge is None:
                edge = self._edges[step[1], step[0]]
                edge = _Edge(invert(edge.matrix), edge.ok)
            matrix, ok = edge.matrix @ matrix, np.asarray(edge.ok & ok)
        return np.where(ok[..., None, None], matrix, np.nan), ok

    def _check_count(self, key: tuple[str, str], edge: _Edge) -> None:
        for other, known in self._edges.items():
            if other != key and edge.ok.ndim and known.ok.ndim and edge.ok.size != known.ok.size:
                raise GeometryError(
                    f"{'To'.join(key)} has {edge.ok.size} matrices, but {'To'.join(other)} has {known.ok.size}"
                )

    def _paths(self, start: str) -> dict[str, tuple[str, ...]]:
        """Return the path (start first) to each frame that can be reached from `start`, itself included."""
        paths: dict[str, tuple[str, ...]] = {start: (start,)}
        queue = [start]
        for frame in queue:  # grows while it is walked
            for pair in self._edges:
                if frame in pair:
                    neighbour = pair[1] if pair[0] == frame else pair[0]
                    if neighbour not in paths:
                        paths[neighbour] = (*paths[frame], neighbour)
                        queue.append(neighbour)
        return paths

    def _no_path(self, start: str, end: str) -> str:
        known = ", ".join(self.frames) or "none"
        message = f"no path of transforms from {start} to {end}; known frames: {known}"
        if start not in self.frames:
            return f"{message}; {start} is not one of them"
        return f"{message}; from {start} one can reach {', '.join(list(self._paths(start))[1:])}"
