"""Labels that follow the image: seeds that grow, watersheds, random walks."""

from usfast.labels.images.annotation_seeds import seeds_from_annotations
from usfast.labels.images.grow_from_seeds import grow_from_seeds
from usfast.labels.images.random_walker import random_walker
from usfast.labels.images.watershed import watershed

__all__ = [
    "grow_from_seeds",
    "random_walker",
    "seeds_from_annotations",
    "watershed",
]
