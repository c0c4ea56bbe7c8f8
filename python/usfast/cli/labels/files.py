"""Label volumes in and out of the commands, their names, and the picture of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from usfast.labels.files.segments import Segmentation
    from usfast.volume import Grid, Volume

__all__ = [
    "check_label_name",
    "check_table_name",
    "compact",
    "draw_labels",
    "joined_names",
    "label_names",
    "read_label_file",
    "volume_rows",
    "write_label_file",
]


def check_label_name(path: Path) -> None:
    """Raise ValueError where no label format has this ending: better now than after the long work."""
    from usfast.io.volumes import VOLUME_SUFFIXES

    if not path.name.lower().endswith((".seg.nrrd", ".dcm", ".dicom", *VOLUME_SUFFIXES)):
        raise ValueError(f"{path}: labels are written as .seg.nrrd, .dcm, {', '.join(VOLUME_SUFFIXES)}")


def check_table_name(path: Path | None, suffix: str, what: str) -> None:
    """Raise ValueError where the name of a table or report ends otherwise."""
    if path is not None and path.suffix.lower() != suffix:
        raise ValueError(f"{path}: {what} must end in {suffix}")


def label_names(text: str | None) -> dict[int, str]:
    """Return the names of ``"1=GM,2=GL"``."""
    names: dict[int, str] = {}
    for part in [] if text is None else text.split(","):
        label, _, name = part.partition("=")
        if not label.strip().isdecimal() or not 0 < int(label) < 2**31 or not name.strip():
            raise ValueError(f"--names must be labels and names such as 1=GM,2=GL, not {text!r}")
        names[int(label)] = name.strip()
    return names


def joined_names(*given: Segmentation) -> dict[int, str]:
    """Return the names of all labels; the first that is more than a number wins."""
    names: dict[int, str] = {}
    for one in given:
        for label, name in one.names.items():
            if names.get(label, f"label {label}") == f"label {label}":
                names[label] = name
    return names


def read_label_file(path: Path, names: Mapping[int, str] | None = None) -> Segmentation:
    """Read labels, with names for those that the file does not name.

    Raises
    ------
    FormatError
        If the file is not a label volume.
    FileNotFoundError
    """
    from usfast.labels.files.label_files import read_labels

    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file")
    return read_labels(path, names=names)


def compact(labels: Segmentation, path: Path) -> NDArray[Any]:
    """Return labels (Z, Y, X) as uint8, which interpolation and smoothing work on."""
    import numpy as np

    array = labels.labels.array
    if int(array.max()) > 255:
        raise ValueError(f"{path}: labels go up to {int(array.max())}; they must be 255 at the most")
    return array.astype(np.uint8, copy=False)


def write_label_file(grid: Grid, array: NDArray[Any], names: Mapping[int, str], draft: Path) -> Segmentation:
    """Write labels with the names of those that occur."""
    import numpy as np

    from usfast.labels.files.label_files import write_labels
    from usfast.labels.files.segments import Segmentation
    from usfast.volume import Volume

    present = {label: names[label] for label in np.unique(array).tolist() if label in names}
    made = Segmentation.of(Volume.on(grid, array), present)
    write_labels(made, draft)
    return made


def volume_rows(labels: Segmentation) -> list[tuple[str, str]]:
    """Return a line on each structure's volume, for `print_table`."""
    from usfast.labels.surfaces.surface_mesh import volumes_ml

    volumes = volumes_ml(labels.labels)
    grid = labels.labels.grid
    size, steps = " x ".join(map(str, grid.size)), " x ".join(f"{step:g}" for step in grid.spacing)
    rows = [("size", f"{size} voxels of {steps} mm")]
    rows += [(labels.names[label], f"{volume:.4g} ml") for label, volume in volumes.items()]
    return rows if volumes else [*rows, ("labels", "none")]


def draw_labels(
    labels: Segmentation, draft: Path, title: str, image: Volume | None = None, coverage: NDArray[Any] | None = None
) -> None:
    """Draw three slices with the structures' outlines, over the image where there is one."""
    import numpy as np

    from usfast.report import save_figure
    from usfast.report.slices import slices_figure
    from usfast.volume import Volume

    shown = labels.labels
    below = Volume.on(shown.grid, np.zeros(shown.array.shape, np.uint8)) if image is None else image
    figure = slices_figure(
        below, coverage, shown.array, title=title, label_names=labels.names, covered="within the sweep"
    )
    save_figure(figure, draft)
