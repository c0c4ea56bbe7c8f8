"""`usfast speckle curves | track`: decorrelation curves of a tracked sweep, and poses from speckle."""

from __future__ import annotations

import csv
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated

import typer

from usfast.cli.console import print_table, progress_bar
from usfast.cli.options import numbers
from usfast.cli.outputs import outputs

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from usfast.speckle import Calibration, DecorrelationCurves, PatchGrid, SpeckleTrack
    from usfast.sweep import Sweep

__all__ = ["speckle"]

speckle = typer.Typer(
    help="Speckle decorrelation: curves, calibration, tracking without a tracker.", no_args_is_help=True
)

_SweepFile = Annotated[Path, typer.Argument(help="Tracked sweep of uint8 B-mode frames.")]
_Config = Annotated[Path | None, typer.Option("--config", "-c", help="PLUS config or calibration file of the sweep.")]
_Patch = Annotated[str, typer.Option(help="Rows and columns of a patch: one number or rows,columns (pixels).")]
_Grid = Annotated[str, typer.Option(help="Rows and columns of patches: rows,columns.")]
_Window = Annotated[int, typer.Option(min=1, help="Largest distance between two frames of a pair, frames.")]
_Model = Annotated[
    str | None, typer.Option(help="What pixels show: log (B-mode), amplitude or intensity. (default: log)")
]
_Auto = Annotated[
    bool, typer.Option("--mask-auto", help="Use only patches that lie inside the sector seen in the frames.")
]
_Threads = Annotated[int | None, typer.Option(help="Threads; never changes the result.")]


@speckle.command()
def curves(
    sweep: _SweepFile,
    out: Annotated[Path, typer.Option("--out", "-o", help="Figure (.png, .pdf, .svg) or table (.csv) to write.")],
    config: _Config = None,
    patch: _Patch = "32",
    grid: _Grid = "12,12",
    window: _Window = 20,
    model: _Model = None,
    bins: Annotated[int, typer.Option(min=1, help="Bins of distance.")] = 24,
    mask_auto: _Auto = False,
    calibration_out: Annotated[
        Path | None, typer.Option("--calibration-out", help="Also write the fitted calibration (.json).")
    ] = None,
    threads: _Threads = None,
) -> None:
    """Draw or tabulate how speckle decorrelates with elevational distance at each depth, and fit the beam's width.

    Example: usfast speckle curves sweep.igs.mha -o curves.png --calibration-out probe.json
    """
    table = out.suffix.lower() == ".csv"
    if not table:
        from usfast.report import figure_format

        figure_format(out)
    _check_json(calibration_out)
    inputs = [path for path in (sweep, config) if path is not None]
    with outputs(out, calibration_out, inputs=inputs) as drafts:
        from usfast.speckle import decorrelation_curves, write_calibration

        recorded = _read(sweep, config)
        patches = _patches(patch, grid, recorded)
        rho, apart, fit = _fitted(recorded, patches, window, model, mask_auto, threads)
        found = decorrelation_curves(rho, apart, patches, bins)
        if table:
            _write_table(found, fit, drafts[0])
        else:
            from usfast.report import save_figure
            from usfast.report.speckle_view import decorrelation_figure

            save_figure(decorrelation_figure(found, fit, sweep.name), drafts[0])
        if calibration_out is not None:
            write_calibration(fit, drafts[1])
    rows = [("pairs", f"{int(found.count.sum())} pairs of patches, {len(recorded)} frames"), *_calibration_rows(fit)]
    print_table(str(out), rows, list(recorded.meta.get("warnings", ())))


@speckle.command()
def track(
    sweep: Annotated[Path, typer.Argument(help="Frames to track; poses in the file serve for comparison only.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Tracked sweep to write (.igs.mha, .h5, .npz).")],
    config: _Config = None,
    calibration: Annotated[Path | None, typer.Option(help="Calibration of the probe (.json).")] = None,
    calibrate: Annotated[
        str | None, typer.Option(help="Calibrate on these tracked frames first,last and track the others after them.")
    ] = None,
    patch: _Patch = "32",
    grid: _Grid = "12,12",
    window: _Window = 20,
    model: _Model = None,
    motion: Annotated[str, typer.Option(help="plane (translation, tilt, yaw) or translation.")] = "plane",
    lags: Annotated[str, typer.Option(help="all, or adjacent: the textbook method, for comparison.")] = "all",
    backwards: Annotated[bool, typer.Option("--backwards", help="The probe moves against its third axis.")] = False,
    in_plane: Annotated[bool, typer.Option("--in-plane", help="Also measure the motion in the plane.")] = False,
    mask_auto: _Auto = False,
    figure: Annotated[Path | None, typer.Option(help="Also draw path and errors (.png, .pdf, .svg).")] = None,
    threads: _Threads = None,
) -> None:
    """Track frames by their speckle, with a calibration of the probe from a file or from tracked frames of the sweep.

    Example: usfast speckle track sweep.igs.mha --calibrate 0,99 -o tracked.igs.mha --figure path.png
    """
    if (calibration is None) == (calibrate is None):
        raise ValueError("give --calibration (a file) or --calibrate (tracked frames of this sweep), one of them")
    if calibration is not None and model is not None:
        raise ValueError("the calibration says which model holds: leave out --model")
    if figure is not None:
        from usfast.report import figure_format

        figure_format(figure)
    inputs = [path for path in (sweep, config, calibration) if path is not None]
    with outputs(out, figure, inputs=inputs) as drafts:
        from usfast import io
        from usfast.speckle import read_calibration, track_frames

        recorded = _read(sweep, config)
        patches = _patches(patch, grid, recorded)
        if calibration is not None:
            fit, part = read_calibration(calibration), recorded
        else:
            assert calibrate is not None
            first, last = _frames(calibrate, len(recorded))
            fit = _fitted(recorded[first : last + 1], patches, window, model, mask_auto, threads)[2]
            part = recorded[last + 1 :]
        start = perf_counter()
        with progress_bar("tracking") as progress:
            found = track_frames(
                part.frames,
                fit,
                patches,
                start=part.image_to_world[0] if part.valid[0] else None,
                window=window,
                motion=motion,
                lags=lags,
                signs=-1 if backwards else 1,
                in_plane=in_plane,
                usable=_usable(part, patches) if mask_auto else None,
                timestamps=part.timestamps,
                num_threads=threads,
                progress=progress,
            )
        seconds = perf_counter() - start
        io.write_sweep(found.sweep, drafts[0])
        if figure is not None:
            _draw(found.sweep, part, sweep.name, drafts[1])
    warnings = [*recorded.meta.get("warnings", ()), *found.sweep.meta["warnings"]]
    print_table(str(out), [*_calibration_rows(fit), *_track_rows(found, part, seconds)], warnings)


def _read(path: Path, config: Path | None) -> Sweep:
    from usfast import io

    with progress_bar(f"reading {path.name}") as progress:
        return io.read_sweep(path, config, progress=progress)


def _check_json(path: Path | None) -> None:
    if path is not None and path.suffix.lower() != ".json":
        raise ValueError(f"{path}: a calibration's name must end in .json")


def _whole(text: str, option: str, names: str) -> tuple[int, ...]:
    values = numbers(text, option, names)
    if not all(value.is_integer() for value in values):
        raise ValueError(f"{option} must be whole numbers, not {text!r}")
    return tuple(int(value) for value in values)


def _patches(patch: str, grid: str, sweep: Sweep) -> PatchGrid:
    from usfast.speckle import PatchGrid

    size = _whole(patch, "--patch", "rows,columns" if "," in patch else "one number")
    rows, columns = _whole(grid, "--grid", "rows,columns")
    return PatchGrid.regular(sweep.image_size, (size[0], size[-1]), (rows, columns))


def _frames(text: str, count: int) -> tuple[int, int]:
    """Return the first and last frame to calibrate on; at least two frames must be left to track."""
    first, last = _whole(text, "--calibrate", "first,last")
    if not 0 <= first < last < count - 2:
        raise ValueError(
            f"--calibrate {text}: frames run from 0 to {count - 1}, and at least two after the last must be left "
            "to track"
        )
    return first, last


def _usable(sweep: Sweep, patches: PatchGrid) -> NDArray[np.bool_]:
    """(N, P): whether nine tenths of a patch lie in the sector that the frames show."""
    import numpy as np

    from usfast.geometry import sector_mask

    mask = sector_mask(sweep.frames)
    rows, columns = patches.size
    inside = [mask[r : r + rows, c : c + columns].mean() >= 0.9 for r, c in patches.corners.tolist()]
    return np.tile(np.array(inside, bool), (len(sweep), 1))


def _fitted(
    sweep: Sweep, patches: PatchGrid, window: int, model: str | None, mask_auto: bool, threads: int | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], Calibration]:
    """Correlations, elevational distances and the calibration of a tracked sweep."""
    import numpy as np

    from usfast.errors import GeometryError
    from usfast.speckle import calibrate, correlate_pairs, drop_unusable, patch_displacements

    if np.count_nonzero(sweep.valid) < 2:
        raise GeometryError(f"{np.count_nonzero(sweep.valid)} of {len(sweep)} frames have a valid pose: too few")
    with progress_bar("correlating") as progress:
        found = correlate_pairs(sweep.frames, patches, window, num_threads=threads, progress=progress)
    usable = _usable(sweep, patches) if mask_auto else np.ones((len(sweep), len(patches)), bool)
    rho = drop_unusable(found, usable)
    poses = np.where(sweep.valid[:, None, None], sweep.image_to_world, np.nan)
    apart = patch_displacements(poses, patches, window)[0]
    return rho, apart, calibrate(rho, apart, patches, sweep.image_size, sweep.pixel_spacing, model=model or "log")


def _write_table(found: DecorrelationCurves, fit: Calibration, path: Path) -> None:
    import numpy as np

    from usfast.speckle.models import correlation

    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        levels = [f"quantile_{level:g}" for level in found.levels]
        writer.writerow(["row", "distance_mm", "pairs", "mean", "sd", *levels, "model", "sigma_mm"])
        for row, distance, *rest in found.table():
            sigma, model = fit.sigma_mm[int(row)], float("nan")
            if np.isfinite(sigma):
                apart = np.sqrt(distance**2 + fit.nugget_mm2[int(row)])
                model = float(correlation(apart, sigma, fit.model, k=fit.k))
            writer.writerow([int(row), *(f"{value:.6g}" for value in (distance, *rest, model, sigma))])


def _draw(tracked: Sweep, recorded: Sweep, title: str, draft: Path) -> None:
    from usfast.report import save_figure
    from usfast.report.speckle_view import trajectory_figure

    comparable = bool(recorded.valid[0]) and int(recorded.valid.sum()) > 1
    save_figure(trajectory_figure(tracked, recorded if comparable else None, title), draft)


def _calibration_rows(fit: Calibration) -> list[tuple[str, str]]:
    import numpy as np

    known = np.isfinite(fit.sigma_mm)
    width, noise = fit.sigma_mm[known], np.sqrt(fit.nugget_mm2[known])
    return [
        ("beam", f"sigma {width.min():.2f} to {width.max():.2f} mm in {known.sum()} of {len(known)} rows of patches"),
        ("noise", f"as {noise.min():.2f} to {noise.max():.2f} mm of motion"),
    ]


def _track_rows(found: SpeckleTrack, recorded: Sweep, seconds: float) -> list[tuple[str, str]]:
    import numpy as np

    path = found.sweep.path_length
    rows = [
        ("frames", f"{len(found.sweep)} tracked in {seconds:.2f} s"),
        ("path", f"{path:.1f} mm"),
        ("turned", f"tilt {found.motion.tilt_deg.sum():.1f}, yaw {found.motion.yaw_deg.sum():.1f} degrees"),
    ]
    if recorded.valid.all() and recorded.path_length > 0:
        from usfast.report.speckle_view import pose_errors

        true = recorded.path_length
        drift = float(np.linalg.norm(pose_errors(found.sweep, recorded)[0][-1]))
        rows.append(
            ("tracker", f"{true:.1f} mm of path: {100 * (path / true - 1):+.0f} %, last frame {drift:.1f} mm off")
        )
    return rows
