"""Between NumPy arrays and the tensors of a pipeline, without importing what the pipeline does not use."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["as_array", "like"]


def as_array(image: Any, name: str = "img") -> NDArray[Any]:
    """Return a NumPy array or torch tensor (on any device) as a NumPy array.

    Raises
    ------
    TypeError
        If it is neither.

    Examples
    --------
    >>> as_array(np.ones((1, 2, 2))).shape
    (1, 2, 2)
    """
    if isinstance(image, np.ndarray):
        return image
    if not hasattr(image, "detach"):
        raise TypeError(f"{name} must be a NumPy array or a torch tensor, not {type(image).__name__}")
    import torch

    tensor = image.detach().cpu()
    # NumPy has no bfloat16; every value of it is one of float32 too.
    array: NDArray[Any] = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return array


def like(values: NDArray[Any], image: Any) -> Any:
    """Return `values` as what `image` is: an array, a tensor on its device, or a MetaTensor with its metadata."""
    if isinstance(image, np.ndarray):
        return values
    import torch

    tensor = torch.from_numpy(np.ascontiguousarray(values)).to(image.device)
    if type(image) is torch.Tensor:
        return tensor
    if hasattr(image, "copy_meta_from"):  # MONAI's MetaTensor
        return type(image)(tensor).copy_meta_from(image)
    return tensor
