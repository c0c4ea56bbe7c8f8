"""One label map from those of several experts."""

from usfast.labels.fusion.consensus import Selection, majority_vote, simple, vote_entropy
from usfast.labels.fusion.staple import MultiLabelStaple, Staple, multi_label_staple, staple

__all__ = [
    "MultiLabelStaple",
    "Selection",
    "Staple",
    "majority_vote",
    "multi_label_staple",
    "simple",
    "staple",
    "vote_entropy",
]
