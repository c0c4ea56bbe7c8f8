"""What the machine's memory can do: read and triad bandwidth with NumPy, on one thread and on all."""

from __future__ import annotations

import os
import platform
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np


def best_seconds(work, rounds=5):
    """Shortest wall time of several runs."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def bandwidth(threads: int, megabytes: int = 256) -> dict[str, float]:
    """GB/s of reading (sum of int64) and of a triad a = b + c (24 bytes an element, write-allocate not counted).

    NumPy releases the interpreter lock in both, so threads run side by side on their own parts of the arrays.
    """
    count = megabytes * 2**20 // 8 // threads
    parts = [[np.ones(count, np.int64) for _ in range(3)] for _ in range(threads)]
    with ThreadPoolExecutor(threads) as pool:

        def everywhere(work):
            return lambda: list(pool.map(work, parts))

        read = best_seconds(everywhere(lambda p: np.bitwise_or.reduce(p[0])))
        triad = best_seconds(everywhere(lambda p: np.add(p[1], p[2], out=p[0])))
    total = 8 * count * threads / 1e9
    return {"read": total / read, "triad": 3 * total / triad}


def cpu_model() -> str:
    """The processor's name as the system gives it."""
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def machine() -> dict[str, object]:
    """Processor, cores and versions: what a figure means nothing without."""
    import usfast

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "date": time.strftime("%Y-%m-%d %H:%M:%S %z"),
        "cpu": cpu_model(),
        "cores": cores,
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "usfast": usfast.show_config(),
    }


if __name__ == "__main__":
    print(machine())
    for threads in (1, os.cpu_count() or 1):
        print(threads, {name: f"{rate:.1f} GB/s" for name, rate in bandwidth(threads).items()})
