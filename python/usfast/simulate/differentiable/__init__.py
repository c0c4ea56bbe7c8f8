"""Ray-based B-mode images in torch, differentiable in every tissue parameter and in the label map.

`import usfast.simulate` does not import this package, and with it torch: import it by its own name.
"""

try:
    import torch as _torch
except ImportError as error:
    raise ImportError(
        'usfast.simulate.differentiable needs torch, which is not installed: pip install "usfast[learn]"', name="torch"
    ) from error

from usfast.simulate.differentiable.rays import Rays
from usfast.simulate.differentiable.renderer import Scatterers, UltrasoundRenderer
from usfast.simulate.differentiable.table import TissueTable

__all__ = ["Rays", "Scatterers", "TissueTable", "UltrasoundRenderer"]

del _torch
