from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Progress = Callable[[int, int], Any] | None

def config() -> dict[str, str]: ...
def compound(
    frames: NDArray[Any],
    index: NDArray[np.int64],
    image_to_voxel: NDArray[np.float64],
    size: tuple[int, int, int],
    method: str,
    mode: str,
    radius: int,
    sigma: float,
    classes: int,
    mask: NDArray[np.uint8] | None,
    importance: NDArray[np.float32] | None,
    weighed: bool,
    statistics: bool,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[Any], NDArray[np.float32] | None, NDArray[np.float32] | None, NDArray[np.uint32] | None]: ...
def fill_holes(
    volume: NDArray[np.float32],
    weight: NDArray[np.float32],
    method: str,
    size: tuple[int, int, int],
    sigma: tuple[float, float, float],
    extend: bool,
    threads: int,
    progress: _Progress,
) -> NDArray[np.bool_]: ...
def plus_paste(
    frames: NDArray[Any],
    index: NDArray[np.int64],
    image_to_voxel: NDArray[np.float64],
    size: tuple[int, int, int],
    interpolation: str,
    optimization: str,
    compounding: str,
    clip: tuple[int, int, int, int],
    fan_tangent: NDArray[np.float64] | None,
    fan_origin: tuple[float, float],
    fan_radius: tuple[float, float],
    reject_below: float | None,
    importance: NDArray[np.uint8] | None,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[Any], NDArray[np.uint16]]: ...
def plus_fill(
    volume: NDArray[Any],
    accumulation: NDArray[np.uint16],
    elements: list[tuple[str, int, float, float, int, int]],
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[Any], NDArray[np.bool_]]: ...

# resample
def resample(
    volume: NDArray[Any],
    image_to_voxel: NDArray[np.float64],
    height: int,
    width: int,
    order: str,
    fill: float,
    threads: int,
    progress: _Progress,
) -> NDArray[np.float32]: ...

# tracking
def displacement_sums(
    matrices: NDArray[np.float64], height: int, width: int, threads: int, progress: _Progress
) -> NDArray[np.float64]: ...

# beamform
def delay_and_sum(
    data: NDArray[Any],
    positions: NDArray[np.float64],
    normals: NDArray[np.float64],
    transmits: list[tuple[str, list[float], list[float], float, NDArray[np.float64] | None]],
    points: NDArray[np.float64],
    weights: NDArray[np.float32] | None,
    interpolation: str,
    window: str,
    taper: float,
    f_number: float,
    speed: float,
    sampling: float,
    demodulation: float,
    compound: bool,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[Any], int]: ...

# speckle
def correlate_pairs(
    frames: NDArray[Any],
    corners: NDArray[np.int64],
    rows: int,
    columns: int,
    window: int,
    threads: int,
    progress: _Progress,
) -> NDArray[np.float32]: ...
def track_patches(
    frames: NDArray[np.uint8],
    corners: NDArray[np.int64],
    rows: int,
    columns: int,
    pairs: NDArray[np.int64],
    search: int,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]: ...

# surface
_Table = tuple[NDArray[np.float64], NDArray[np.float64]]

def surface_distances(
    a: NDArray[Any],
    b: NDArray[Any],
    only: NDArray[np.uint8] | None,
    label: int,
    spacing: tuple[float, float, float],
    planar: bool,
    surfels: bool,
    area: list[float],
    connectivity: int,
    edge_is_surface: bool,
    threads: int,
    progress: _Progress,
) -> tuple[_Table, _Table, int, int, int]: ...
def confusion(
    a: NDArray[Any], b: NDArray[Any], threads: int, progress: _Progress
) -> list[tuple[int, int, int, list[int], list[int]]]: ...
def distance_transform(
    mask: NDArray[np.uint8],
    spacing: tuple[float, float, float],
    to_structure: bool,
    sites: bool,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...

# simulate
def find_scatterers(
    radius: float,
    first_depth: float,
    step: float,
    lateral_limit: NDArray[np.float32],
    elevation_limit: NDArray[np.float32],
    probe_to_world: NDArray[np.float64],
    pitch: float,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]: ...
def sum_echoes(
    lines: int,
    first_line: float,
    line_step: float,
    sample_step: float,
    pulse_sigma: float,
    cycles_per_mm: float,
    cutoff: float,
    lateral_sigma: NDArray[np.float32],
    elevational_sigma: NDArray[np.float32],
    gain: NDArray[np.float32],
    lateral: NDArray[np.float32],
    depth: NDArray[np.float32],
    elevation: NDArray[np.float32],
    amplitude: NDArray[np.float32],
) -> NDArray[np.complex64]: ...
def scan_convert(
    speckle: NDArray[np.complex64], interfaces: NDArray[np.complex64] | None, place: NDArray[np.float32]
) -> NDArray[np.float32]: ...

# confidence
def confidence_maps(
    images: NDArray[Any],
    state: NDArray[np.uint8],
    factor: NDArray[np.float64],
    beta: float,
    penalty: tuple[float, float, float],
    floor: float,
    normalise: bool,
    single: bool,
    threads: int,
    progress: _Progress,
) -> NDArray[Any]: ...
def confidence_bytes(height: int, width: int, single: bool) -> float: ...
def confidence_forget() -> None: ...

# bricks
class Bricks:
    def __init__(
        self,
        begin: tuple[int, int, int],
        end: tuple[int, int, int],
        method: str,
        mode: str,
        radius: int,
        sigma: float,
        classes: int,
        bytes: bool,
    ) -> None: ...
    def add(
        self,
        frames: NDArray[Any],
        index: NDArray[np.int64],
        image_to_voxel: NDArray[np.float64],
        mask: NDArray[np.uint8] | None,
        importance: NDArray[np.float32] | None,
        undo: bool,
        threads: int,
        progress: _Progress,
    ) -> None: ...
    def write(
        self,
        begin: tuple[int, int, int],
        volume: NDArray[Any],
        weight: NDArray[np.float32],
        threads: int,
        progress: _Progress,
    ) -> None: ...
    def touched(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]: ...
    def clear(self) -> None: ...
    def nbytes(self) -> int: ...
    def scratch_bytes(self) -> int: ...
    def side(self) -> int: ...
    def cell(self) -> int: ...

# interpolate
def interpolate(
    frames: NDArray[Any],
    index: NDArray[np.intp],
    image_to_voxel: NDArray[np.float64],
    size: tuple[int, int, int],
    spacing: tuple[float, float, float],
    mask: NDArray[np.uint8] | None,
    importance: NDArray[np.float32] | None,
    method: str,
    reach: float,
    alpha: float,
    largest_alpha: float,
    halfway: float,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...

# refine
def match_frames(
    volume: NDArray[np.float32],
    spacing: tuple[float, float, float],
    frames: NDArray[np.float32],
    pixel_to_voxel: NDArray[np.float64],
    pivots: NDArray[np.float64],
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]: ...

# labels
def blend_distances(
    fields: NDArray[np.float32],
    present: list[bool],
    to_field: NDArray[np.float64],
    bracket: NDArray[np.float64],
    way: list[float],
    discs: NDArray[np.float64],
    frames: NDArray[np.float64],
    share: NDArray[np.float64],
    ends: int,
    threads: int,
) -> NDArray[np.float32]: ...
def paint_labels(
    passes: list[tuple[Any, ...]], structures: int, shape: tuple[int, int, int], threads: int, progress: _Progress
) -> NDArray[np.uint8]: ...
def smooth_codes(
    codes: NDArray[np.uint8],
    kernel: NDArray[np.float32],
    planar: bool,
    bonus: NDArray[np.float32],
    count: bool,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]: ...
def dilation_steps(seed: NDArray[np.uint8], region: NDArray[np.uint8]) -> NDArray[np.int32]: ...

# seeds
def grow_from_seeds(
    image: NDArray[Any],
    seeds: NDArray[np.uint8],
    mask: NDArray[np.uint8] | None,
    low: float,
    scale: float,
    step: tuple[float, float, float],
    diagonals: bool,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.uint8], NDArray[np.uint32]]: ...

# confidence of volumes
def confidence_volume(
    attenuated: NDArray[np.float64],
    state: NDArray[np.uint8],
    beta: float,
    gamma: float,
    tolerance: float,
    axis: int,
    most_iterations: int,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.float64], bool, int, float]: ...
def confidence_volume_bytes(z: int, y: int, x: int) -> float: ...

# compound
def compound_scratch(
    image_to_voxel: NDArray[np.float64],
    size: tuple[int, int, int],
    method: str,
    mode: str,
    radius: int,
    classes: int,
    statistics: bool,
    threads: int,
) -> int: ...

# directed confidence
def directed_maps(
    images: NDArray[np.float64],
    needle: NDArray[np.float64] | None,
    artifact: NDArray[np.float64] | None,
    spread: NDArray[np.float64],
    loss: NDArray[np.float64],
    cap: NDArray[np.float64] | None,
    power: float,
    on_edge: bool,
    threads: int,
    out: NDArray[np.float64],
) -> None: ...

# functions
def fit_functions(
    frames: NDArray[Any],
    index: NDArray[np.intp],
    image_to_voxel: NDArray[np.float64],
    size: tuple[int, int, int],
    spacing: tuple[float, float, float],
    mask: NDArray[np.uint8] | None,
    importance: NDArray[np.float32] | None,
    method: str,
    reach: float,
    smoothing: float,
    max_centres: int,
    finest: int,
    compression: float,
    floor: float,
    level: float,
    regularisation: float,
    iterations: int,
    tolerance: float,
    threads: int,
    progress: _Progress,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
