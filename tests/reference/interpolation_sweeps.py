"""Random sweeps near small grids, as the methods take them."""

import numpy as np
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation


@st.composite
def sweeps(draw, smallest=1):
    """(frames, index, image_to_voxel, size) and (spacing, mask, importance) as keywords.

    Frames in a row move on by about a voxel, turn a little, and their pixels may be sheared.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count, height, width = draw(st.integers(smallest, 5)), draw(st.integers(1, 12)), draw(st.integers(1, 12))
    size = draw(st.tuples(st.sampled_from((1, 7, 35)), st.sampled_from((1, 5, 18)), st.sampled_from((1, 6, 10))))
    spacing = rng.uniform(0.3, 2, 3)
    frames = rng.integers(0, 256, (count + 2, height, width)).astype(np.uint8)
    if draw(st.booleans()):
        frames = frames.astype(np.float32) + np.float32(0.5)
        frames[rng.random(frames.shape) < 0.1] = draw(st.sampled_from((np.nan, np.inf, -np.inf)))
    mask = (rng.random((height, width)) < 0.8).astype(np.uint8) if draw(st.booleans()) else None
    importance = None
    if draw(st.booleans()):
        shape = [n if draw(st.booleans()) else 1 for n in frames.shape]
        importance = np.where(rng.random(shape) < 0.2, 0, rng.uniform(0.1, 3, shape)).astype(np.float32)
    base = Rotation.random(random_state=rng).as_matrix()
    pixels = np.column_stack([base[:, 0], base[:, 1] + draw(st.sampled_from((0.0, 0.3))) * base[:, 0]])
    pixels *= rng.uniform(0.3, 2, 2)
    place = np.asarray(size) * spacing * rng.uniform(0.2, 0.8, 3) - pixels @ [(width - 1) / 2, (height - 1) / 2]
    image_to_voxel = np.empty((count, 3, 4))
    for i in range(count):
        turn = Rotation.from_rotvec(rng.normal(0, draw(st.sampled_from((0.0, 0.05, 0.3))), 3)).as_matrix()
        here = place + base @ (np.array([0.3, 0.2, 1.0]) * rng.normal(0.8, 0.5, 3) * i)
        matrix = np.column_stack([turn @ pixels, np.zeros(3), here])
        image_to_voxel[i] = matrix / spacing[:, None]
    index = np.sort(rng.permutation(len(frames))[:count])
    return (frames, index, image_to_voxel, size), {"spacing": spacing, "mask": mask, "importance": importance}


def parallel_sweep(value, size=(20, 18, 30), gap=2.5, count=8):
    """Parallel frames across z, `gap` voxels apart; value(u, v, i) gives the pixels of frame i as float32."""
    u, v = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    frames = np.stack([np.broadcast_to(value(u, v, i), u.shape) for i in range(count)]).astype(np.float32)
    image_to_voxel = np.tile(np.eye(4)[:3], (count, 1, 1))
    image_to_voxel[:, 2, 3] = 2 + gap * np.arange(count)
    arrays = (frames, np.arange(count), image_to_voxel, size)
    return arrays, {"spacing": np.array([0.5, 0.7, 0.4]), "mask": None, "importance": None}
