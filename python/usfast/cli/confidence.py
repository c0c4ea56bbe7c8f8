"""`usfast confidence`: how far to trust each pixel of an image, a sweep or a volume."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usfast.cli.console import print_table, progress_bar
from usfast.cli.outputs import check_volume_name, outputs
from usfast.cli.pictures import PICTURES_IN, PICTURES_OUT, read_pictures, write_maps

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from usfast.sweep import Sweep

__all__ = ["confidence"]

_SWEEPS_OUT = (".npz", ".mha", ".mhd", ".nrrd", ".nhdr")
_AXES = {"z": 0, "y": 1, "x": 2}  # of an array (Z, Y, X)


class MapMethod(StrEnum):
    """How the map is made."""

    random_walk = "random_walk"
    directed = "directed"
    attenuation = "attenuation"


class Signal(StrEnum):
    """What the pixels are."""

    B = "B"
    RF = "RF"


class SinkMode(StrEnum):
    """Where confidence is 0."""

    all = "all"
    mid = "mid"
    min = "min"


class Axis(StrEnum):
    """An axis of a volume."""

    x = "x"
    y = "y"
    z = "z"


_TAKES = {
    MapMethod.random_walk: ("alpha", "beta", "gamma", "mode", "sink_mode"),
    MapMethod.directed: ("alpha",),
    MapMethod.attenuation: ("alpha",),
}


@dataclass(frozen=True)
class _Source:
    """Frames to look at, and how to write their maps."""

    what: str
    frames: NDArray[Any]  # (N, H, W), rows along the beam
    write: Callable[[NDArray[Any], Path], None]
    mask: NDArray[Any] | None = None
    pixel_size: tuple[float, float] = (1.0, 1.0)
    sweep: Sweep | None = None


@dataclass(frozen=True)
class _Input:
    """Where the frames come from, as the options say."""

    path: Path
    config: Path | None
    image_frame: str | None
    reference_frame: str | None
    beam: Axis
    lateral: Axis

    def open(self, out: Path) -> Callable[[], _Source]:
        """Find out what the input is and check that `out` can hold its maps; nothing long happens yet."""
        if self.path.suffix.lower() in PICTURES_IN and not self.path.is_dir():
            _check_suffix(out, PICTURES_OUT, "an image's maps")
            return self._pictures
        from usfast.io import describe

        kind = describe(self.path, self.config).kind
        if kind == "poses":
            raise ValueError(f"{self.path}: the recording has no images")
        if kind == "volume":
            check_volume_name(out)
            if self.beam == self.lateral:
                raise ValueError(f"--beam and --lateral cannot both be {self.beam}")
            return self._volume
        _check_suffix(out, (*_SWEEPS_OUT, *PICTURES_OUT), "a sweep's maps")
        return self._sweep

    def _pictures(self) -> _Source:
        images = read_pictures(self.path)
        return _Source("images" if len(images) > 1 else "image", images, write_maps)

    def _sweep(self) -> _Source:
        from usfast import io
        from usfast.cli.config_mask import masked_by_config

        with progress_bar(f"reading {self.path.name}") as progress:
            sweep = io.read_sweep(
                self.path,
                self.config,
                image_frame=self.image_frame,
                reference_frame=self.reference_frame,
                progress=progress,
            )
        sweep = masked_by_config(sweep, self.config)

        def write(maps: NDArray[Any], draft: Path) -> None:
            if draft.suffix.lower() in PICTURES_OUT:
                write_maps(maps, draft)
            elif draft.suffix.lower() == ".npz":
                io.write_sweep(replace(sweep, frames=maps), draft)
            else:  # a sequence has no place for mask and labels; the maps are 0 outside of the mask anyway
                io.write_sweep(replace(sweep, frames=maps, mask=None, labels=None), draft)

        size = sweep.pixel_spacing if sweep.valid.any() else (1.0, 1.0)
        return _Source("frames", sweep.frames, write, sweep.mask, size, sweep)

    def _volume(self) -> _Source:
        import numpy as np

        from usfast import io
        from usfast.volume import Volume

        volume = io.read_volume(self.path)
        axes = (_AXES[self.beam], _AXES[self.lateral])

        def write(maps: NDArray[Any], draft: Path) -> None:
            io.write_volume(Volume.on(volume.grid, np.moveaxis(maps, (1, 2), axes)), draft)

        spacing = dict(zip("xyz", volume.spacing.tolist(), strict=True))
        size = (spacing[self.lateral], spacing[self.beam])
        return _Source("slices", np.moveaxis(volume.array, axes, (1, 2)), write, None, size)


def confidence(
    source: Annotated[Path, typer.Argument(help="Image (.png, .tif, .jpg, .npy), tracked sweep or volume.")],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            help="Maps to write, 0..1. Image: .npy, .tif, .png (16 bit); sweep: these too, or .npz, .mha, .nrrd with "
            "maps as frames; volume: .nrrd, .mha, .nii.gz.",
        ),
    ],
    overlay: Annotated[Path | None, typer.Option(help="Also draw the middle frame and its map (.png, .pdf).")] = None,
    method: Annotated[
        MapMethod, typer.Option(help="Random walk (Karamalis), directed graph (Hung), or a rough, fast attenuation.")
    ] = MapMethod.random_walk,
    alpha: Annotated[float | None, typer.Option(help="Attenuation over the depth (2 for random_walk, else 1).")] = None,
    beta: Annotated[float | None, typer.Option(help="Sensitivity to grey value differences (90).")] = None,
    gamma: Annotated[float | None, typer.Option(help="Penalty of sideways steps (0.05).")] = None,
    mode: Annotated[Signal | None, typer.Option(help="B-mode (the default), or RF lines.")] = None,
    sink_mode: Annotated[
        SinkMode | None,
        typer.Option(help="Sinks: all of the last row (the default), its middle, or its darkest pixels."),
    ] = None,
    mask: Annotated[
        str | None, typer.Option(help="Tissue only: a picture (> 0 counts), or auto. The rest gets 0.")
    ] = None,
    agree: Annotated[
        float | None, typer.Option(help="Make a sweep's maps agree where frames overlap, to voxels of this size, mm.")
    ] = None,
    beam: Annotated[Axis, typer.Option(help="Axis of a volume along which sound travels.")] = Axis.y,
    lateral: Annotated[Axis, typer.Option(help="Axis of a volume along which scan lines lie side by side.")] = Axis.x,
    solid: Annotated[
        bool, typer.Option("--3d", help="One map of the whole volume (26 neighbours) instead of one a slice.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="PLUS config (its clip rectangle and fan count too) or calibration file."),
    ] = None,
    image_frame: Annotated[str | None, typer.Option(help="Name of a sweep's image frame, e.g. Image.")] = None,
    reference_frame: Annotated[str | None, typer.Option(help="Name of a sweep's reference frame.")] = None,
    threads: Annotated[int | None, typer.Option(help="Threads; never changes the result.")] = None,
) -> None:
    """Compute confidence maps: how far sound reached each pixel, from 0 to 1.

    Example: usfast confidence frame.png -o map.npy --overlay map.png
    """
    settings = _settings(method, alpha=alpha, beta=beta, gamma=gamma, mode=mode, sink_mode=sink_mode)
    if overlay is not None:
        from usfast.report import figure_format

        figure_format(overlay)
    origin = _Input(source, config, image_frame, reference_frame, beam, lateral)
    load = origin.open(out)
    if solid:
        _check_solid(method, settings, agree)
    inputs = [path for path in (source, config) if path is not None]
    if mask not in (None, "auto"):
        inputs.append(Path(str(mask)))
    with outputs(out, overlay, inputs=inputs) as drafts:
        loaded = _masked(load(), mask)
        if agree is not None and loaded.sweep is None:
            raise ValueError(f"--agree is for tracked sweeps; {source} holds an image or a volume")
        if solid and loaded.what != "slices":
            raise ValueError(f"--3d is for volumes; {source} holds {loaded.what}")
        maps, seconds = _solid_map(loaded, settings, threads) if solid else _maps(loaded, method, settings, threads)
        if agree is not None and loaded.sweep is not None:
            maps = _agreeing(replace(loaded.sweep, mask=loaded.mask), maps, agree, threads)
        _write(loaded, maps, out, drafts)
    warnings = [] if loaded.sweep is None else loaded.sweep.meta.get("warnings", ())
    print_table(str(out), _summary(loaded, maps, method, seconds), warnings)


def _check_suffix(out: Path, suffixes: tuple[str, ...], what: str) -> None:
    if out.suffix.lower() not in suffixes:
        raise ValueError(f"{out}: the name for {what} must end in {', '.join(suffixes)}")


def _settings(method: MapMethod, **options: Any) -> dict[str, Any]:
    """Return what was asked for, so that the library's own defaults hold for the rest."""
    asked = {name: value for name, value in options.items() if value is not None}
    for name in asked:
        if name not in _TAKES[method]:
            raise ValueError(f"--{name.replace('_', '-')} does not go with --method {method}")
    return {name: str(value) if isinstance(value, StrEnum) else value for name, value in asked.items()}


def _check_solid(method: MapMethod, settings: dict[str, Any], agree: float | None) -> None:
    if method != MapMethod.random_walk:
        raise ValueError(f"--3d does not go with --method {method}")
    for name in ("mode", "sink_mode"):
        if name in settings:
            raise ValueError(f"--{name.replace('_', '-')} does not go with --3d")
    if agree is not None:
        raise ValueError("--agree does not go with --3d")


def _masked(loaded: _Source, mask: str | None) -> _Source:
    """Narrow the mask of the frames by what --mask says."""
    if mask is None:
        return loaded
    shape = (loaded.frames.shape[1], loaded.frames.shape[2])
    if mask == "auto":
        from usfast.cli.masks import AUTO_THRESHOLD
        from usfast.geometry import sector_mask

        keep = sector_mask(loaded.frames, threshold=AUTO_THRESHOLD)
    else:
        from usfast.cli.masks import read_weights

        keep = read_weights(Path(mask), shape) > 0
    if loaded.mask is not None:
        keep = keep & loaded.mask
    if not keep.any():
        raise ValueError("the mask leaves no pixel")
    return replace(loaded, mask=None if keep.all() else keep)


def _maps(
    loaded: _Source, method: MapMethod, settings: dict[str, Any], threads: int | None
) -> tuple[NDArray[Any], float]:
    from usfast.confidence.frames import frame_maps

    start = perf_counter()
    with progress_bar("computing confidence") as progress:
        maps = frame_maps(
            loaded.frames, str(method), mask=loaded.mask, num_threads=threads, progress=progress, **settings
        )
    return maps, perf_counter() - start


def _solid_map(loaded: _Source, settings: dict[str, Any], threads: int | None) -> tuple[NDArray[Any], float]:
    import numpy as np

    from usfast.confidence.sector import sector_seeds
    from usfast.confidence.volumes import confidence_volume

    region: dict[str, Any] = {}
    if loaded.mask is not None:  # the same in every slice
        seeds = sector_seeds(loaded.mask)
        found = {"mask": loaded.mask, "sources": seeds.sources, "sinks": seeds.sinks}
        region = {name: np.broadcast_to(value, loaded.frames.shape) for name, value in found.items()}
        depth = seeds.depth
        region["depth"] = depth if depth.ndim == 1 else np.broadcast_to(depth, loaded.frames.shape)
    start = perf_counter()
    with progress_bar("computing confidence") as progress:
        maps = confidence_volume(loaded.frames, num_threads=threads, progress=progress, **settings, **region)
    return maps.astype(np.float32), perf_counter() - start


def _agreeing(sweep: Sweep, maps: NDArray[Any], spacing: float, threads: int | None) -> NDArray[Any]:
    from usfast.confidence.agreement import agreeing_maps

    with progress_bar("making the maps agree") as progress:
        return agreeing_maps(sweep, maps, spacing, num_threads=threads, progress=progress)


def _write(loaded: _Source, maps: NDArray[Any], out: Path, drafts: list[Path]) -> None:
    with progress_bar(f"writing {out.name}"):
        loaded.write(maps, drafts[0])
    if len(drafts) > 1:
        from usfast.report import confidence_figure, save_figure

        middle = len(maps) // 2
        title = out.name if len(maps) == 1 else f"{out.name}: number {middle} of {len(maps)} {loaded.what}"
        figure = confidence_figure(loaded.frames[middle], maps[middle], title, pixel_size=loaded.pixel_size)
        save_figure(figure, drafts[1])


def _summary(loaded: _Source, maps: NDArray[Any], method: MapMethod, seconds: float) -> list[tuple[str, str]]:
    import numpy as np

    count, height, width = maps.shape
    inside = maps if loaded.mask is None else maps[:, loaded.mask]
    return [
        (loaded.what, f"{count} of {width} x {height} pixels"),
        ("method", str(method).replace("_", " ")),
        ("confidence", f"{inside.mean(dtype=np.float64):.3f} on average"),
        ("speed", f"{1e3 * seconds / count:.3g} ms each ({seconds:.2f} s)"),
    ]
