"""`usfast compound`: tracked sweeps become a volume."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usfast.cli.console import print_table, progress_bar
from usfast.cli.options import Compat, DType, Fill, Method, Mode, Weight, numbers, spacing
from usfast.cli.outputs import check_volume_name, outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from usfast.compound import CompoundResult
    from usfast.sweep import Sweep
    from usfast.volume import Volume

__all__ = ["compound"]

_SETTINGS = (
    "spacing",
    "method",
    "mode",
    "fill",
    "fill_size",
    "fill_extend",
    "kernel_size",
    "sigma",
    "options",
)  # passed on by name


@dataclass(frozen=True)
class _Request:
    """What the options ask for; None where they leave it open."""

    sweeps: list[Path]
    config: Path | None
    spacing: tuple[float, float, float] | None
    method: Method | None
    mode: Mode | None
    fill: Fill | None
    fill_size: int | None
    fill_extend: bool | None
    kernel_size: int | None
    sigma: float | None
    options: dict[str, float] | None
    clip: tuple[float, ...] | None
    fan: tuple[float, ...] | None
    mask: str | None
    weight: Weight | None
    weights: Path | None
    feather: float | None
    image_frame: str | None
    reference_frame: str | None
    threads: int | None
    compat: Compat | None
    dtype: DType | None

    def check(self) -> None:
        """Refuse what contradicts itself, before anything is read."""
        if self.compat is None:
            if self.weight is not None and self.weights is not None:
                raise ValueError("give either --weight or --weights, not both")
            for name in ("weight", "weights", "feather"):
                if getattr(self, name) is not None and self.mode not in (None, Mode.weighted):
                    raise ValueError(f"--{name} goes with --mode weighted, not {self.mode}")
            if self.spacing is None and self.config is None:
                raise ValueError("give --spacing (mm), or -c with a config that has OutputSpacing")
            return
        if self.config is None:
            raise ValueError("--compat plus does what the config says: give it with -c")
        for name in (*_SETTINGS, "clip", "fan", "mask", "weight", "weights", "feather", "dtype"):
            if getattr(self, name) is not None:
                option = "--" + ("option" if name == "options" else name.replace("_", "-"))
                raise ValueError(f"--compat plus takes everything from the config: leave out {option}")


def compound(
    sweep: Annotated[list[Path], typer.Argument(help="Tracked sweeps that share one world frame.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Volume to write (.nrrd, .mha, .nii.gz).")],
    config: Annotated[Path | None, typer.Option("--config", "-c", help="PLUS config or calibration file.")] = None,
    spacing_mm: Annotated[str | None, typer.Option("--spacing", help="Voxel spacing, mm: one number or x,y,z.")] = None,
    method: Annotated[Method | None, typer.Option(help="How a pixel reaches voxels. (default: linear)")] = None,
    mode: Annotated[
        Mode | None, typer.Option(help="What becomes of several pixels in a voxel. (default: mean)")
    ] = None,
    fill: Annotated[Fill | None, typer.Option(help="How to fill holes. (default: not at all)")] = None,
    fill_size: Annotated[int | None, typer.Option(help="Window of the hole filling, voxels. (default: 5)")] = None,
    fill_extend: Annotated[
        bool | None, typer.Option("--fill-extend", help="Fill beyond the gaps of the sweep, too.")
    ] = None,
    kernel_size: Annotated[
        int | None, typer.Option(help="Width of --method gaussian, voxels, odd. (default: 5)")
    ] = None,
    sigma: Annotated[
        float | None, typer.Option(help="Standard deviation of --method gaussian, voxels. (default: 1)")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="Option of another method, e.g. radius=2; may be repeated.")
    ] = None,
    clip: Annotated[
        str | None, typer.Option(help="Use this rectangle of the frames only: x,y,width,height (pixels).")
    ] = None,
    fan: Annotated[
        str | None,
        typer.Option(help="Use this fan only: angle0,angle1 (degrees),origin x,y,radius0,radius1 (pixels)."),
    ] = None,
    mask: Annotated[str | None, typer.Option(help="Use these pixels only: a picture (> 0 counts), or auto.")] = None,
    weight: Annotated[
        Weight | None, typer.Option(help="Weigh each pixel by its confidence: how far sound reached it.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Picture of pixel weights, for --mode weighted.")] = None,
    feather: Annotated[
        float | None, typer.Option(help="Fade pixels out towards the image's border over so many pixels.")
    ] = None,
    image_frame: Annotated[str | None, typer.Option(help="Name of the image frame, e.g. Image.")] = None,
    reference_frame: Annotated[
        str | None, typer.Option(help="Name of the frame that the volume lies in, e.g. Reference.")
    ] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; never changes the result.")] = None,
    compat: Annotated[Compat | None, typer.Option(help="Reproduce PLUS/IGSIO bit for bit, as the config says.")] = None,
    dtype: Annotated[
        DType | None, typer.Option(help="Type of the voxels. uint8 rounds and clips. (default: float32)")
    ] = None,
    weight_out: Annotated[Path | None, typer.Option(help="Also write the weight of each voxel (0: no pixel).")] = None,
    figure: Annotated[Path | None, typer.Option(help="Also draw three slices (.png, .pdf, .svg).")] = None,
) -> None:
    """Compound tracked sweeps into a volume.

    Example: usfast compound sweep.igs.mha -c config.xml -o volume.nrrd --spacing 0.3 --fill gaussian
    """
    request = _Request(
        sweep,
        config,
        None if spacing_mm is None else spacing(spacing_mm),
        method,
        mode,
        fill,
        fill_size,
        fill_extend,
        kernel_size,
        sigma,
        None if option is None else _options(option),
        None if clip is None else numbers(clip, "--clip", "x,y,width,height"),
        None if fan is None else numbers(fan, "--fan", "angle0,angle1,origin x,origin y,radius0,radius1"),
        mask,
        weight,
        weights,
        feather,
        image_frame,
        reference_frame,
        threads,
        compat,
        dtype,
    )
    request.check()
    for path in (out, weight_out):
        if path is not None:
            check_volume_name(path)
    if figure is not None:
        from usfast.report import figure_format

        figure_format(figure)
    inputs = [path for path in (*sweep, config, weights) if path is not None]
    with outputs(out, weight_out, figure, inputs=inputs) as drafts:
        rows, warnings = _make(request, out, weight_out, figure, drafts)
    print_table(str(out), rows, warnings)


def _make(
    request: _Request, out: Path, weight_out: Path | None, figure: Path | None, drafts: list[Path]
) -> tuple[list[tuple[str, str]], list[str]]:
    """Read, compound and write the drafts; return the summary's rows and the sweep's warnings."""
    from usfast import io
    from usfast.volume import Volume

    remaining = iter(drafts)
    sweep = _read(request)
    result, seconds = _compounded(request, sweep)
    volume = _typed(result.volume, request.dtype)
    with progress_bar(f"writing {out.name}"):
        io.write_volume(volume, next(remaining))
        if weight_out is not None:
            io.write_volume(Volume.on(volume.grid, result.weight), next(remaining))
    if figure is not None:
        from usfast.report import save_figure, slices_figure

        holds, covered = result.coverage, "covered"
        if result.filled is not None:
            holds, covered = holds | result.filled, "covered or filled"
        save_figure(slices_figure(volume, holds, title=out.name, covered=covered), next(remaining))
    return _summary(sweep, result, volume, seconds), list(sweep.meta.get("warnings", ()))


def _read(request: _Request) -> Sweep:
    from usfast import io
    from usfast.cli.masks import masked
    from usfast.sweep import Sweep

    sweeps = []
    for path in request.sweeps:
        with progress_bar(f"reading {path.name}") as progress:
            sweeps.append(
                io.read_sweep(
                    path,
                    request.config,
                    image_frame=request.image_frame,
                    reference_frame=request.reference_frame,
                    progress=progress,
                )
            )
    sweep = sweeps[0] if len(sweeps) == 1 else Sweep.concatenate(sweeps)
    if request.clip is None and request.fan is None and request.mask is None:
        return sweep
    return masked(sweep, request.clip, request.fan, request.mask)


def _compounded(request: _Request, sweep: Sweep) -> tuple[CompoundResult, float]:
    from usfast import compound as compounding
    from usfast.cli.masks import read_weights

    # Only what was asked for, so that the library's own defaults hold for the rest.
    asked = {name: value for name in (*_SETTINGS, "config", "compat") if (value := getattr(request, name)) is not None}
    if request.weights is not None:
        asked |= {"mode": "weighted", "weights": read_weights(request.weights, sweep.image_size)}
    elif request.weight is not None:
        asked |= {"mode": "weighted", "weights": _confidence(request, sweep)}
    if request.feather is not None:
        fade = compounding.edge_feather(sweep.image_size if sweep.mask is None else sweep.mask, request.feather)
        asked |= {"mode": "weighted", "weights": fade * asked["weights"] if "weights" in asked else fade}
    start = perf_counter()
    with progress_bar("compounding") as progress:
        result = compounding.compound(sweep, num_threads=request.threads, progress=progress, **asked)
    return result, perf_counter() - start


def _options(words: list[str]) -> dict[str, float]:
    """Return ``name=number`` words as a dictionary."""
    found = {}
    for word in words:
        name, _, value = word.partition("=")
        try:
            found[name.strip()] = float(value)
        except ValueError:
            raise ValueError(f"--option must be name=number, e.g. radius=2, not {word!r}") from None
    return found


def _confidence(request: _Request, sweep: Sweep) -> NDArray[Any]:
    from usfast.cli.config_mask import masked_by_config
    from usfast.confidence.frames import sweep_weights

    # Sound enters at the upper edge of what compounding will use.
    region = masked_by_config(sweep, request.config)
    with progress_bar("computing confidence") as progress:
        return sweep_weights(region, num_threads=request.threads, progress=progress)


def _typed(volume: Volume, dtype: DType | None) -> Volume:
    """Return the volume as it goes into the file; one slice at a time, for a volume may be large."""
    import numpy as np

    from usfast.volume import Volume

    if dtype is None or volume.array.dtype == dtype.value:
        return volume
    array: NDArray[Any] = np.empty(volume.array.shape, dtype.value)
    for rounded, plane in zip(array, volume.array, strict=True):
        rounded[...] = np.clip(np.rint(plane), 0, 255) if dtype is DType.uint8 else plane
    return Volume.on(volume.grid, array)


def _summary(sweep: Sweep, result: CompoundResult, volume: Volume, seconds: float) -> list[tuple[str, str]]:
    import numpy as np

    used = int(np.count_nonzero(sweep.valid))
    per_frame = sweep.frames[0].size if sweep.mask is None else int(np.count_nonzero(sweep.mask))
    voxels = volume.grid.voxels
    share = 100 / voxels
    left_out = f", {len(sweep) - used} without a valid pose" if used < len(sweep) else ""
    rows = [
        ("frames", f"{used} used{left_out}"),
        ("grid", " x ".join(map(str, volume.grid.size)) + f" = {voxels / 1e6:.3g} million voxels"),
        ("spacing", " x ".join(f"{step:g}" for step in volume.spacing) + " mm"),
        ("size", f"{volume.array.nbytes / 1e6:.3g} MB as {volume.array.dtype}"),
        ("covered", f"{share * np.count_nonzero(result.weight):.1f} % of the voxels by pixels"),
    ]
    if result.filled is not None:
        rows.append(("filled", f"{share * np.count_nonzero(result.filled):.1f} % more"))
    pace = f"{used * per_frame / seconds / 1e6:.3g} Mpixel/s ({seconds:.2f} s"
    rows.append(("speed", pace + (")" if result.filled is None else ", hole filling included)")))
    return rows
