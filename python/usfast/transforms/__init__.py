"""Transforms for training pipelines: MONAI's conventions (channel first, dictionary versions end in d), without MONAI.

They take NumPy arrays, torch tensors and MONAI's MetaTensor and give back the same kind. Neither torch nor MONAI
is imported unless a tensor comes in; any `Compose` calls them.
"""

from usfast.transforms.channel import ConfidenceChannel
from usfast.transforms.confidence_map import UltrasoundConfidenceMap
from usfast.transforms.dictionary import ConfidenceChanneld, UltrasoundConfidenceMapd

__all__ = ["ConfidenceChannel", "ConfidenceChanneld", "UltrasoundConfidenceMap", "UltrasoundConfidenceMapd"]
