"""`usfast labels gfs | ws`: labels that an image guides, from seeds that were drawn on some slices."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from usfast.cli.console import print_table, progress_bar
from usfast.cli.labels.files import (
    check_label_name,
    compact,
    draw_labels,
    label_names,
    read_label_file,
    volume_rows,
    write_label_file,
)
from usfast.cli.labels.slices import AXES, Axis, annotated_slices, image_beside
from usfast.cli.outputs import outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from usfast.labels.files.segments import Segmentation
    from usfast.volume import Volume

__all__ = ["gfs", "ws"]

_Image = Annotated[Path, typer.Argument(help="The image: a volume on the grid of the labels.")]
_Labels = Annotated[Path, typer.Argument(help="Label volume, some slices of which are annotated; or seeds.")]
_Out = Annotated[Path, typer.Option("--out", "-o", help="Labels to write (.seg.nrrd, .nii.gz, .nrrd, .mha, .dcm).")]
_Across = Annotated[Axis, typer.Option(help="Axis across the annotated slices.")]
_Every = Annotated[int, typer.Option(min=1, help="Use only each N-th annotated slice, and the last.")]
_Known = Annotated[
    Path | None, typer.Option("--annotated", help="Volume, above 0 where something was drawn or seen to be background.")
]
_Background = Annotated[
    int | None, typer.Option(min=1, help="The labels are seeds, and this one is background. (default: annotations)")
]
_Inside = Annotated[float, typer.Option(help="Seeds keep this far (mm) inside the drawn border.")]
_Outside = Annotated[float, typer.Option(help="Background seeds keep this far (mm) outside of it.")]
_Mask = Annotated[
    str | None, typer.Option(help="Label only here: a volume (above 0), or auto: where the image is not 0.")
]
_Smooth = Annotated[float, typer.Option(min=0.0, help="Then smooth with this sigma, voxels; 0: not.")]
_Names = Annotated[str | None, typer.Option(help="Names of the labels: 1=GM,2=GL.")]
_Figure = Annotated[Path | None, typer.Option(help="Also draw three slices (.png, .pdf, .svg).")]
_Threads = Annotated[int | None, typer.Option(help="Threads; never changes the result.")]


class _Grow(Protocol):
    def __call__(self, scene: _Scene) -> NDArray[Any]:
        """Return labels (Z, Y, X)."""


@dataclass(frozen=True)
class _Scene:
    """What a method works on."""

    image: NDArray[Any]
    seeds: NDArray[Any]
    background: int
    spacing: NDArray[Any]
    mask: NDArray[Any] | None


@dataclass(frozen=True)
class _Request:
    """What the two commands share."""

    image: Path
    labels: Path
    out: Path
    axis: Axis
    every: int
    annotated: Path | None
    background: int | None
    inside: float
    outside: float
    mask: str | None
    smooth: float
    names: str | None
    figure: Path | None
    threads: int | None

    def run(self, what: str, grow: _Grow) -> None:
        """Read, grow, write and report."""
        self._check()
        mask = Path(self.mask) if self.mask not in (None, "auto") else None
        inputs = [path for path in (self.image, self.labels, self.annotated, mask) if path is not None]
        with outputs(self.out, self.figure, inputs=inputs) as drafts:
            given = read_label_file(self.labels, label_names(self.names))
            image = image_beside(self.image, given.labels, self.labels)
            begin = perf_counter()
            scene = self._scene(given, image, mask)
            found = grow(scene)
            if self.smooth > 0:
                from usfast.labels import smooth_labels

                with progress_bar("smoothing") as progress:
                    found = smooth_labels(
                        found, scene.mask, sigma=self.smooth, num_threads=self.threads, progress=progress
                    )
            seconds = perf_counter() - begin
            names = {label: name for label, name in given.names.items() if label != self.background}
            written = write_label_file(given.labels.grid, found, names, drafts[0])
            if self.figure is not None:
                draw_labels(written, drafts[1], f"{self.image.name}, {what}", image)
        seeds = int((scene.seeds > 0).sum())
        share = 100 * seeds / scene.seeds.size
        print_table(
            str(self.out),
            [("seeds", f"{seeds} voxels ({share:.1f} %), {what}, {seconds:.1f} s"), *volume_rows(written)],
        )

    def _check(self) -> None:
        check_label_name(self.out)
        if self.figure is not None:
            from usfast.report import figure_format

            figure_format(self.figure)
        if self.background is not None and self.annotated is not None:
            raise ValueError("--background says that the labels are seeds already: leave out --annotated")

    def _scene(self, given: Segmentation, image: Volume, mask: Path | None) -> _Scene:
        array = compact(given, self.labels)
        if not array.any():
            raise ValueError(f"{self.labels}: every label is 0: there is nothing to start from")
        inside = None
        if self.mask is not None:
            inside = image.array != 0 if mask is None else image_beside(mask, given.labels, self.labels).array > 0
        seeds, background = array, self.background
        if background is None:
            seeds, background = self._seeds(given, array)
        elif not (array == background).any():
            raise ValueError(f"{self.labels}: no voxel has the background's label {background}")
        return _Scene(image.array, seeds, background, given.labels.spacing[::-1], inside)

    def _seeds(self, given: Segmentation, array: NDArray[Any]) -> tuple[NDArray[Any], int]:
        import numpy as np

        from usfast.labels.images.annotation_seeds import seeds_from_annotations

        if self.annotated is not None:
            known = image_beside(self.annotated, given.labels, self.labels).array > 0
        else:
            axis = AXES[self.axis]
            marked = annotated_slices(array, axis, self.every)
            known = np.zeros(array.shape, bool)
            np.moveaxis(known, axis, 0)[marked] = True
        with progress_bar("seeds") as progress:
            return seeds_from_annotations(
                array,
                known,
                spacing=given.labels.spacing[::-1],
                inside_mm=self.inside,
                outside_mm=self.outside,
                num_threads=self.threads,
                progress=progress,
            )


def gfs(
    image: _Image,
    labels: _Labels,
    out: _Out,
    axis: _Across = Axis.z,
    every: _Every = 1,
    annotated: _Known = None,
    background: _Background = None,
    inside: _Inside = 1.0,
    outside: _Outside = 2.0,
    locality: Annotated[float, typer.Option(help="What a millimetre of path costs, in grey levels.")] = 1.0,
    neighbours: Annotated[int, typer.Option(help="26 or 6.")] = 26,
    mask: _Mask = None,
    smooth: _Smooth = 0.0,
    names: _Names = None,
    figure: _Figure = None,
    threads: _Threads = None,
) -> None:
    """Grow from seeds (GFS): each voxel gets the label whose seeds are reached at the smallest change of grey.

    Example: usfast labels gfs volume.nrrd sparse.seg.nrrd -o full.seg.nrrd --mask auto
    """

    def grow(scene: _Scene) -> NDArray[Any]:
        import numpy as np

        from usfast.labels.images.grow_from_seeds import grow_from_seeds

        with progress_bar("growing") as progress:
            return np.asarray(
                grow_from_seeds(
                    scene.image, scene.seeds, spacing=scene.spacing, locality=locality, neighbours=neighbours,
                    mask=scene.mask, background=scene.background, num_threads=threads, progress=progress,
                )
            )  # fmt: skip

    request = _Request(
        image, labels, out, axis, every, annotated, background, inside, outside, mask, smooth, names, figure, threads
    )
    request.run("grown from seeds", grow)


def ws(
    image: _Image,
    labels: _Labels,
    out: _Out,
    axis: _Across = Axis.z,
    every: _Every = 1,
    annotated: _Known = None,
    background: _Background = None,
    inside: _Inside = 1.0,
    outside: _Outside = 2.0,
    sigma: Annotated[
        float | None, typer.Option(help="Gaussian before the gradient, mm. (default: 1.5 times the spacing)")
    ] = None,
    compactness: Annotated[float, typer.Option(help="Weight of the distance to the seeds.")] = 0.0,
    mask: _Mask = None,
    smooth: _Smooth = 0.0,
    names: _Names = None,
    figure: _Figure = None,
    threads: _Threads = None,
) -> None:
    """Watershed (WS): seeds flood the image's gradient and meet on its ridges.

    Example: usfast labels ws volume.nrrd sparse.seg.nrrd -o full.seg.nrrd --mask auto --sigma 1
    """

    def flood(scene: _Scene) -> NDArray[Any]:
        import numpy as np

        from usfast.labels.images.watershed import watershed

        return np.asarray(
            watershed(
                scene.image, scene.seeds, spacing=scene.spacing, sigma=sigma, compactness=compactness,
                mask=scene.mask, background=scene.background,
            )
        )  # fmt: skip

    request = _Request(
        image, labels, out, axis, every, annotated, background, inside, outside, mask, smooth, names, figure, threads
    )
    request.run("watershed", flood)
