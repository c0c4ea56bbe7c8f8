"""How many threads the kernels use."""

import os

__all__ = ["get_num_threads", "set_num_threads"]

_chosen: int | None = None


def _checked(count: object, source: str) -> int:
    try:
        threads = int(str(count))
    except ValueError:
        threads = 0
    if not 1 <= threads <= 1024:
        raise ValueError(f"{source} must be a whole number from 1 to 1024, not {count!r}")
    return threads


def set_num_threads(num_threads: int | None) -> None:
    """Set the number of threads of every kernel; None goes back to the default.

    Results never depend on it, bit for bit. The default is ``USFAST_NUM_THREADS`` or else the number of CPUs
    that this process may use.
    """
    global _chosen
    _chosen = None if num_threads is None else _checked(num_threads, "num_threads")


def get_num_threads(num_threads: int | None = None) -> int:
    """Return `num_threads` where given, else the number that kernels use by default."""
    if num_threads is not None:
        return _checked(num_threads, "num_threads")
    if _chosen is not None:
        return _chosen
    from_environment = os.environ.get("USFAST_NUM_THREADS")
    if from_environment:
        return _checked(from_environment, "USFAST_NUM_THREADS")
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
