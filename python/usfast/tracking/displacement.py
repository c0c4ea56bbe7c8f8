"""TUS-REC's displacement fields: what a submission consists of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from usfast.io.atomic import replacing
from usfast.tracking.tusrec import as_landmarks, displacement_matrices, image_shape
from usfast.tracking.tusrec import landmark_displacements as _of_landmarks

__all__ = ["displacement_fields", "landmark_displacements", "write_displacement_fields"]


def displacement_fields(
    poses: ArrayLike,
    scale: ArrayLike,
    calibration: ArrayLike,
    shape: tuple[int, int] = (480, 640),
    *,
    dtype: DTypeLike = np.float32,
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield the global and the local displacement field of frames 1..N-1, one frame at a time.

    Parameters as in `tus_rec_scores`. Memory: two fields, ``24 H W`` bytes in float32 (7.4 MB at 480x640); all
    fields of 500 frames would take 3.7 GB.

    Yields
    ------
    global_field, local_field : (3, H * W) array
        Displacements, image mm of frame 0 and of the frame before; pixels row by row, u running fastest.

    Raises
    ------
    ValueError
        If a shape is wrong or there is only one pose.
    GeometryError
        If a matrix is not finite, not affine or singular.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 2, 3] = [0, 1, 3]
    >>> [(g[2, 0].item(), l[2, 0].item()) for g, l in displacement_fields(poses, np.eye(4), np.eye(4), (2, 2))]
    [(1.0, 1.0), (3.0, 2.0)]
    """
    size = image_shape(shape)
    matrices = displacement_matrices("poses", poses, scale, calibration)
    return _fields(matrices, size, np.dtype(dtype))


def _fields(
    matrices: NDArray[np.float64], shape: tuple[int, int], dtype: np.dtype[Any]
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    v, u = np.mgrid[1 : shape[0] + 1, 1 : shape[1] + 1].reshape(2, -1).astype(np.float64)
    pixels = np.stack([u, v, np.ones_like(u)])
    for pair in np.swapaxes(matrices[..., [0, 1, 3]], 0, 1):
        yield (pair[0] @ pixels).astype(dtype), (pair[1] @ pixels).astype(dtype)


def landmark_displacements(
    poses: ArrayLike,
    scale: ArrayLike,
    calibration: ArrayLike,
    landmarks: ArrayLike,
    shape: tuple[int, int] = (480, 640),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the global and the local displacement of landmarks, (3, L) each, mm; 0 for those on frame 0.

    Parameters and errors as in `tus_rec_scores`.

    Examples
    --------
    >>> poses = np.tile(np.eye(4), (3, 1, 1))
    >>> poses[:, 2, 3] = [0, 1, 3]
    >>> landmark_displacements(poses, np.eye(4), np.eye(4), [[2, 10, 20], [0, 5, 5]])[1][2].tolist()
    [2.0, 0.0]
    """
    matrices = displacement_matrices("poses", poses, scale, calibration)
    marks = as_landmarks(landmarks, matrices.shape[1] + 1, image_shape(shape))
    global_, local = _of_landmarks(matrices, marks)
    return global_.T, local.T


def write_displacement_fields(
    folder: str | Path,
    poses: ArrayLike,
    scale: ArrayLike,
    calibration: ArrayLike,
    shape: tuple[int, int] = (480, 640),
    landmarks: ArrayLike | None = None,
) -> None:
    """Write GP.npy and LP.npy, (N-1, 3, H * W) float32, and with landmarks GL.npy and LL.npy, (3, L) float32.

    Fields are written frame by frame: memory stays at a few fields, the disk takes ``24 (N-1) H W`` bytes. Each file
    appears complete or not at all.

    Parameters
    ----------
    folder : str or Path
        An existing folder.
    poses, scale, calibration, shape, landmarks
        As in `tus_rec_scores`.

    Raises
    ------
    ValueError, TypeError, GeometryError
        As in `tus_rec_scores`.
    OSError
        If the folder does not exist or the file system refuses.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> write_displacement_fields(folder, np.tile(np.eye(4), (3, 1, 1)), np.eye(4), np.eye(4), (4, 5))
    >>> np.load(Path(folder) / "GP.npy").shape
    (2, 3, 20)
    """
    folder = Path(folder)
    count = displacement_matrices("poses", poses, scale, calibration).shape[1]
    height, width = image_shape(shape)
    if landmarks is not None:
        marks = landmark_displacements(poses, scale, calibration, landmarks, shape)
        for name, moved in zip(("GL.npy", "LL.npy"), marks, strict=True):
            with replacing(folder / name) as draft:
                np.save(draft, moved.astype(np.float32))
    header = {"descr": "<f4", "fortran_order": False, "shape": (count, 3, height * width)}
    with (
        replacing(folder / "GP.npy") as first,
        replacing(folder / "LP.npy") as second,
        open(first, "wb") as global_file,
        open(second, "wb") as local_file,
    ):
        for stream in (global_file, local_file):
            np.lib.format.write_array_header_1_0(stream, header)
        for global_, local in displacement_fields(poses, scale, calibration, shape, dtype="<f4"):
            global_file.write(global_.tobytes())
            local_file.write(local.tobytes())
