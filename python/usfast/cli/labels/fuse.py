"""`usfast labels fuse`: one label map from those of several annotators."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from usfast.cli.console import print_columns, print_table
from usfast.cli.labels.files import (
    check_label_name,
    draw_labels,
    joined_names,
    label_names,
    read_label_file,
    volume_rows,
    write_label_file,
)
from usfast.cli.outputs import check_volume_name, outputs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from usfast.volume import Volume

__all__ = ["fuse"]

_Columns = list[dict[str, str]]


class Fusion(StrEnum):
    """How several opinions become one."""

    majority = "majority"
    staple = "staple"
    simple = "simple"


def fuse(
    labels: Annotated[list[Path], typer.Argument(help="Label volumes on one grid, one an annotator.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Labels to write (.seg.nrrd, .nii.gz, .nrrd, .mha, .dcm).")],
    method: Annotated[
        Fusion,
        typer.Option(help="Majority vote; STAPLE (reliabilities estimated too); SIMPLE (outliers left out)."),
    ] = Fusion.majority,
    entropy: Annotated[
        Path | None, typer.Option(help="Also write where they disagree: entropy of the votes, bits (a volume).")
    ] = None,
    names: Annotated[str | None, typer.Option(help="Names of the labels: 1=GM,2=GL.")] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Also draw three slices over the entropy (.png, .pdf, .svg).")
    ] = None,
) -> None:
    """Fuse the labels of several annotators into a consensus.

    Example: usfast labels fuse ann.seg.nrrd ben.seg.nrrd eve.seg.nrrd -o consensus.seg.nrrd --entropy doubt.nrrd
    """
    check_label_name(out)
    if entropy is not None:
        check_volume_name(entropy)
    if figure is not None:
        from usfast.report import figure_format

        figure_format(figure)
    if len(labels) < 2:
        raise ValueError("a consensus needs the labels of two annotators at least")
    known = label_names(names)
    with outputs(out, entropy, figure, inputs=labels) as drafts:
        from usfast import io
        from usfast.labels.fusion.consensus import vote_entropy
        from usfast.volume import Volume, check_one_grid

        given = [read_label_file(path, known) for path in labels]
        for one, path in zip(given[1:], labels[1:], strict=True):
            check_one_grid(one.labels, given[0].labels, (str(path), str(labels[0])))
        volumes = [one.labels for one in given]
        found, columns = _fused(method, volumes)
        written = write_label_file(volumes[0].grid, found, joined_names(*given), drafts[0])
        _add_dice(columns, volumes, written.labels)
        if entropy is not None or figure is not None:
            doubt = Volume.on(volumes[0].grid, _array(vote_entropy(volumes)))
            if entropy is not None:
                io.write_volume(doubt, drafts[1])
            if figure is not None:
                draw_labels(written, drafts[-1], f"{method} of {len(labels)}, over their entropy", doubt)
    print_table(str(out), [("method", f"{method} of {len(labels)} annotators"), *volume_rows(written)])
    print_columns([{"annotator": path.name, **row} for path, row in zip(labels, columns, strict=True)])


def _fused(method: Fusion, volumes: list[Volume]) -> tuple[NDArray[Any], _Columns]:
    """Return the consensus, and what the method says of each annotator."""
    import numpy as np

    from usfast.labels.fusion.consensus import majority_vote, simple
    from usfast.labels.fusion.staple import multi_label_staple, staple

    if method is Fusion.majority:
        return _array(majority_vote(volumes)), [{} for _ in volumes]
    if method is Fusion.simple:
        chosen = simple(volumes)
        return _array(chosen.labels), [{"kept": "yes" if kept else "no"} for kept in chosen.kept]
    present = sorted({label for one in volumes for label in np.unique(one.array).tolist()} - {0})
    if len(present) == 1:
        binary = staple(volumes)
        inside = _array(binary.probability) > 0.5
        rates = zip(binary.sensitivity, binary.specificity, strict=True)
        return np.where(inside, present[0], 0).astype(volumes[0].array.dtype), [
            {"sensitivity": f"{p:.3f}", "specificity": f"{q:.3f}"} for p, q in rates
        ]
    several = multi_label_staple(volumes)
    right = [
        {f"right on {several.names[k]}": f"{one[k, k]:.3f}" for k in range(1, len(one))} for one in several.confusion
    ]
    return _array(several.labels), right


def _array(found: Any) -> NDArray[Any]:
    import numpy as np

    from usfast.volume import Volume

    return np.asarray(found.array if isinstance(found, Volume) else found)


def _add_dice(columns: _Columns, volumes: list[Volume], consensus: Volume) -> None:
    """Add each annotator's Dice with the consensus, label by label."""
    import numpy as np

    for row, volume in zip(columns, volumes, strict=True):
        for label in np.union1d(np.unique(consensus.array), np.unique(volume.array)).tolist():
            if label:
                here, there = volume.array == label, consensus.array == label
                both = 2 * np.count_nonzero(here & there) / (np.count_nonzero(here) + np.count_nonzero(there))
                row[f"Dice {label}"] = f"{both:.3f}"
