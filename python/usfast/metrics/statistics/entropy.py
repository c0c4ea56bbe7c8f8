"""Where repeated annotations, or a network's repeated predictions, disagree."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Uncertainty", "entropy_map", "uncertainty_maps"]

Floats = NDArray[np.float32]


def entropy_map(annotations: ArrayLike, *, base: float = 2.0) -> Floats:
    """Return the entropy of the labels that repeated annotations give each voxel.

    Parameters
    ----------
    annotations : (R, ...) array of bool or integers
        R label maps of one case, by observers or repetitions.
    base : float
        Of the logarithm: 2 for bits, `math.e` for nats.

    Returns
    -------
    float32 array (...)
        0 where all agree; at most the logarithm of the number of labels, or of R.

    Raises
    ------
    ValueError
        If there is no annotation or the base is not above 1.
    TypeError
        If the array does not hold labels.

    Notes
    -----
    Memory: 20 bytes a voxel beside the annotations, for any number of labels.

    Examples
    --------
    >>> entropy_map([[0, 1, 1], [0, 1, 0]]).tolist()
    [0.0, 0.0, 1.0]
    """
    array = np.asarray(annotations)
    if array.ndim < 2 or array.size == 0:
        raise ValueError(f"annotations must be a stack (R, ...) of label maps, not shape {array.shape}")
    if array.dtype.kind not in "biu":
        raise TypeError(f"annotations must hold booleans or integer labels, not {array.dtype}: see uncertainty_maps")
    scale = _log_base(base)
    entropy = np.zeros(array.shape[1:])
    for label in np.unique(array):
        share = np.count_nonzero(array == label, axis=0) / len(array)
        entropy += _surprise(share)
    return _finished(entropy, scale)


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Entropies of repeated predictions, each a float32 array of one value a voxel.

    Attributes
    ----------
    total : entropy of the mean prediction
    expected : mean of the single predictions' entropies: what more repetitions cannot remove (noise in the data)
    mutual_information : total - expected: how far the repetitions disagree (what the network does not know)
    """

    total: Floats
    expected: Floats
    mutual_information: Floats


def uncertainty_maps(probabilities: ArrayLike, *, base: float = 2.0, tolerance: float = 1e-3) -> Uncertainty:
    """Return total entropy, expected entropy and mutual information of Monte-Carlo or ensemble predictions.

    Parameters
    ----------
    probabilities : (T, C, ...) array of float
        T predictions of C classes that add up to 1. One channel (T, 1, ...) is the probability of a structure
        against background.
    base : float
        Of the logarithm: 2 for bits, `math.e` for nats.
    tolerance : float
        How far the classes may miss the sum of 1, and a probability the range from 0 to 1, as float16 does. They
        are divided by their sum.

    Returns
    -------
    Uncertainty

    Raises
    ------
    ValueError
        If there are NaN, values that are no probabilities, or classes that do not add up.

    Notes
    -----
    N. Houlsby et al., arXiv 1112.5745 (BALD); Y. Gal, Uncertainty in Deep Learning, 2016, section 3.3.

    Examples
    --------
    >>> maps = uncertainty_maps([[[1.0, 0.5, 0.5]], [[0.0, 0.5, 0.5]]])
    >>> maps.total.tolist(), maps.expected.tolist(), maps.mutual_information.tolist()
    ([1.0, 1.0, 1.0], [0.0, 1.0, 1.0], [1.0, 0.0, 0.0])
    """
    array = np.asarray(probabilities)
    if array.ndim < 3 or array.size == 0:
        raise ValueError(f"probabilities must be an array (T, C, ...), not shape {array.shape}")
    if array.dtype.kind != "f":
        raise ValueError(f"probabilities must be floating-point numbers, not {array.dtype}")
    scale = _log_base(base)
    mean, expected = None, np.zeros(array.shape[2:])
    for number, prediction in enumerate(array):
        classes = _classes(prediction, number, tolerance)
        mean = classes if mean is None else mean + classes
        expected += _surprise(classes).sum(axis=0)
    assert mean is not None
    total = _surprise(mean / len(array)).sum(axis=0)
    expected /= len(array)
    # Entropy is concave, so the difference is not negative; rounding may say otherwise.
    information = np.maximum(total - expected, 0)
    return Uncertainty(_finished(total, scale), _finished(expected, scale), _finished(information, scale))


def _classes(prediction: NDArray[np.floating], number: int, tolerance: float) -> NDArray[np.float64]:
    classes = prediction.astype(np.float64)
    if np.isnan(classes).any():
        raise ValueError(f"prediction {number} holds NaN")
    if (classes < -tolerance).any() or (classes > 1 + tolerance).any():
        raise ValueError(
            f"prediction {number} holds values from {classes.min():g} to {classes.max():g}, no probabilities: "
            "apply softmax or sigmoid first"
        )
    np.clip(classes, 0, 1, out=classes)
    if len(classes) == 1:
        return np.concatenate([1 - classes, classes])
    whole = classes.sum(axis=0)
    if (np.abs(whole - 1) > tolerance * len(classes)).any():
        raise ValueError(
            f"the {len(classes)} classes of prediction {number} add up to {whole.min():g} to {whole.max():g}, not 1"
        )
    return np.asarray(classes / whole)


def _surprise(share: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return -p ln p, 0 at 0."""
    return -share * np.log(share, out=np.zeros_like(share), where=share > 0)


def _log_base(base: float) -> float:
    if not (np.isfinite(base) and base > 1):
        raise ValueError(f"base must be above 1, not {base!r}")
    return float(np.log(base))


def _finished(entropy: NDArray[np.float64], scale: float) -> Floats:
    return np.asarray(np.abs(entropy / scale), np.float32)  # abs: no negative zero
