"""Print digests of what kernels return, so that two instruction set levels can be compared."""

import hashlib

import numpy as np

from usfast import Grid, metrics
from usfast.compound import compound_arrays


def main() -> None:
    """Run the kernels that are compiled for each level on random input."""
    random = np.random.default_rng(0)
    frames = random.integers(0, 256, (5, 90, 110), dtype=np.uint8)
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, :3] = random.normal(size=(5, 3, 4)) * (0.3, 0.3, 0.3, 4) + (0, 0, 0, 15)
    for method in ("nearest", "linear", "gaussian"):
        for mode in ("mean", "maximum", "latest"):
            volume, weight = compound_arrays(frames, poses, Grid((31, 32, 33), 1.0), method, mode)
            digest = hashlib.sha256(volume.tobytes() + weight.tobytes()).hexdigest()
            print(method, mode, digest)
    pred, ref = (random.random((40, 50, 150)) < density for density in (0.02, 0.9))
    for definition in ("voxel", "surfel"):
        found = metrics.surface(pred, ref, (1.3, 0.7, 0.4), definition=definition).pred_to_ref
        print(definition, hashlib.sha256(found.distance.tobytes() + found.weight.tobytes()).hexdigest())


if __name__ == "__main__":
    main()
