"""Where a structure's border is seen in the image, and where the annotator completed it."""

from usfast.borders.border import label_border
from usfast.borders.gradient import gradient_magnitude
from usfast.borders.kinds import BorderKinds, border_kinds

__all__ = ["BorderKinds", "border_kinds", "gradient_magnitude", "label_border"]
