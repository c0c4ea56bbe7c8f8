"""Label volumes in and out, by the ending of the file's name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from usfast.errors import FormatError
from usfast.io.volumes import VOLUME_SUFFIXES, read_volume, write_volume
from usfast.labels.files.segments import Segmentation
from usfast.volume import Volume

__all__ = ["read_labels", "write_labels"]

_DICOM = (".dcm", ".dicom")
_MOST = 2**32 - 1


def read_labels(path: str | Path, *, names: Mapping[int, str] | None = None, overlap: str = "refuse") -> Segmentation:
    """Read a label volume: .seg.nrrd, DICOM SEG (.dcm), .nii, .nii.gz, .nrrd, .nhdr, .mha or .mhd.

    Parameters
    ----------
    path : str or Path
    names : mapping of int to str, optional
        Names of labels, for formats that have none; others' names win.
    overlap : {"refuse", "first", "last"}
        As in `read_seg_nrrd`.

    Returns
    -------
    Segmentation
        Labels of the smallest unsigned dtype that holds them; NIfTI's floating point labels too, where they are
        whole numbers.

    Raises
    ------
    FormatError
        If the file cannot be read, or its voxels are not labels: negative, not whole, above 2^32 - 1.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "leg.nii.gz"
    >>> write_labels(Volume(np.uint16([[[0, 300]]]), spacing=1.0), path)
    >>> read_labels(path, names={300: "soleus"}).names
    {300: 'soleus'}
    """
    path = Path(path)
    name = path.name.lower()
    if name.endswith(".seg.nrrd"):
        from usfast.labels.files.segmentation_nrrd import read_seg_nrrd

        return read_seg_nrrd(path, overlap=overlap)
    if name.endswith(_DICOM):
        from usfast.labels.files.dicom_seg import read_dicom_seg

        return read_dicom_seg(path, overlap=overlap)
    volume = read_volume(path)
    array = volume.array
    if array.dtype.kind == "f" and not (np.isfinite(array).all() and (array == np.rint(array)).all()):
        raise FormatError(f"{path}: {array.dtype} values that are not whole numbers; these are no labels")
    low, high = array.min(), array.max()
    if low < 0 or high > _MOST:
        raise FormatError(f"{path}: labels from {low} to {high}; they must be from 0 to {_MOST}")
    smallest = np.min_scalar_type(int(high))
    labels = Volume.on(volume.grid, array.astype(smallest, copy=False))
    known = {label: text for label, text in (names or {}).items()}
    return Segmentation.of(labels, known)


def write_labels(labels: Volume | Segmentation, path: str | Path, *, names: Mapping[int, str] | None = None) -> None:
    """Write a label volume in the format that the name's ending says; an interrupted run leaves the old file.

    Parameters
    ----------
    labels : Volume of integers or Segmentation
    path : str or Path
        .seg.nrrd and .dcm keep names and colours; .nii, .nii.gz, .nrrd, .nhdr, .mha and .mhd the numbers only.
    names : mapping of int to str, optional
        Names of labels, where `labels` is a Volume.

    Raises
    ------
    FormatError
        If the ending is unknown or the format cannot hold the labels.
    ImportError
        For .dcm, if highdicom is not installed.
    OSError
    """
    path = Path(path)
    if isinstance(labels, Segmentation):
        if names is not None:
            raise ValueError("a Segmentation brings its names: leave names out")
        chosen = labels
    else:
        chosen = Segmentation.of(labels, names)
    name = path.name.lower()
    if name.endswith(".seg.nrrd"):
        from usfast.labels.files.segmentation_nrrd import write_seg_nrrd

        write_seg_nrrd(chosen, path)
    elif name.endswith(_DICOM):
        from usfast.labels.files.dicom_seg import write_dicom_seg

        write_dicom_seg(chosen, path)
    elif name.endswith(VOLUME_SUFFIXES):
        write_volume(chosen.labels, path)
    else:
        raise FormatError(f"{path}: labels are written as .seg.nrrd, .dcm, {', '.join(VOLUME_SUFFIXES)}")
