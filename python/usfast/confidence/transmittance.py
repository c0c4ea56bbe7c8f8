"""How much of a pulse arrives at each sample of its ray: products of what every sample before lets through."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from usfast._arguments import positive

__all__ = ["transmittance"]


def transmittance(
    attenuation: ArrayLike,
    reflection: ArrayLike | None = None,
    border: ArrayLike | None = None,
    *,
    spacing: float = 1.0,
    axis: int = -2,
) -> NDArray[np.float64]:
    """Return the share of a pulse's amplitude that reaches each sample along its ray.

    Sample k receives what samples 0 to k - 1 let through, itself not counted: the first sample has 1. This is the
    transmittance of Ultra-NeRF, and the confidence map of "Redefining confidence maps" when attenuation,
    reflection and border come from such a network.

    Parameters
    ----------
    attenuation : array
        Attenuation coefficient (natural units: nepers) per mm, any sign: its absolute value counts.
    reflection : array, optional
        Share of the amplitude that a border at the sample reflects, 0..1. Default: nothing.
    border : array, optional
        Probability that there is a border at the sample, 0..1. Default: 1 wherever `reflection` is given.
    spacing : float
        Distance between samples along the ray, mm.
    axis : int
        Axis that runs along the rays. Default: the rows of ``(..., H, W)``.

    Returns
    -------
    float64 array
        From 0 to 1, falling along the ray; of the common shape of the arguments.

    Raises
    ------
    ValueError
        If shapes do not fit each other, a value is not finite, or a share lies outside of 0..1.

    Notes
    -----
    ``T(k) = product over n < k of exp(-|attenuation(n)| spacing) (1 - reflection(n) border(n))``. Ultra-NeRF
    draws each border as 0 or 1 with its probability; here stands the expectation, which is the same on every
    call. For the raw outputs of its network take the logistic function of `reflection` and `border` first.

    References
    ----------
    M. Wysocki et al., "Ultra-NeRF: neural radiance fields for ultrasound imaging", MIDL 2023. Confidence from it:
    the repository Redefining-Confidence-Maps.

    Examples
    --------
    >>> import numpy as np
    >>> transmittance(np.zeros((3, 1)), np.array([[0.0], [0.5], [0.5]])).ravel().tolist()
    [1.0, 1.0, 0.5]
    """
    loss = np.abs(np.asarray(attenuation, np.float64))
    shares = [
        _share(name, values) for name, values in (("reflection", reflection), ("border", border)) if values is not None
    ]
    if reflection is None and border is not None:
        raise ValueError("border says where reflection counts: give reflection too")
    try:
        shape = np.broadcast_shapes(loss.shape, *(share.shape for share in shares))
    except ValueError:
        shapes = ", ".join(str(array.shape) for array in (loss, *shares))
        raise ValueError(f"attenuation, reflection and border must have one shape, not {shapes}") from None
    if not -len(shape) <= axis < len(shape):
        raise ValueError(f"axis {axis} is not one of the {len(shape)} axes of shape {shape}")
    if not np.isfinite(loss).all():
        raise ValueError("attenuation holds values that are not finite numbers")
    passed = np.exp(-loss * positive("spacing", spacing))
    for_border = np.ones(()) if not shares else 1 - np.prod(np.broadcast_arrays(*shares), axis=0)
    along = np.moveaxis(np.broadcast_to(passed * for_border, shape), axis, 0)
    result = np.ones(along.shape)
    np.cumprod(along[:-1], axis=0, out=result[1:])
    return np.ascontiguousarray(np.moveaxis(result, 0, axis))


def _share(name: str, values: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(values, np.float64)
    if not (np.isfinite(array).all() and (array >= 0).all() and (array <= 1).all()):
        raise ValueError(f"{name} must lie from 0 to 1 everywhere")
    return array
