"""Subjects made one after another in this process, or at once in several."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from usfast.errors import UsfastError
from usfast.simulate.dataset_options import DatasetOptions, SubjectPlan
from usfast.simulate.subjects import write_subject

__all__ = ["made_subjects"]

_POLL = 0.2  # s between two looks at Ctrl-C and at the workers' counts
_shared: tuple[Any, Any] | None = None  # in a worker: the request to stop, the frames done by all

Progress = Callable[[int, int], Any]


class _Stopped(Exception):
    """A worker was asked to leave its subject unfinished."""


def made_subjects(
    folder: Path,
    options: DatasetOptions,
    plans: list[SubjectPlan],
    *,
    workers: int,
    num_threads: int,
    progress: Progress | None,
) -> Iterator[dict[str, Any]]:
    """Make subjects and yield each one's manifest entry when its folder is complete, in any order.

    Parameters
    ----------
    folder, options, plans
        As for `write_subject`.
    workers : int
        Processes; 1 works in this one.
    num_threads : int
        In each of them.
    progress : callable, optional
        Called with (frames done, frames in all).

    Raises
    ------
    UsfastError
        If a worker process dies.
    KeyboardInterrupt
        After Ctrl-C, when all workers have removed what they had begun.
    """
    total = sum(plan.passes for plan in plans) * options.frames
    if progress is not None and plans:
        progress(0, total)
    if workers == 1 or len(plans) < 2:
        yield from _here(folder, options, plans, num_threads, progress, total)
    else:
        yield from _in_processes(folder, options, plans, workers, num_threads, progress, total)


def _here(
    folder: Path,
    options: DatasetOptions,
    plans: list[SubjectPlan],
    num_threads: int,
    progress: Progress | None,
    total: int,
) -> Iterator[dict[str, Any]]:
    done = 0

    def tick(frames: int) -> None:
        nonlocal done
        done += frames
        if progress is not None:
            progress(done, total)

    for plan in plans:
        yield write_subject(folder, options, plan, num_threads=num_threads, tick=tick)


def _in_processes(
    folder: Path,
    options: DatasetOptions,
    plans: list[SubjectPlan],
    workers: int,
    num_threads: int,
    progress: Progress | None,
    total: int,
) -> Iterator[dict[str, Any]]:
    # A fresh interpreter for each: a fork would copy threads' locks in any state.
    context = multiprocessing.get_context("spawn")
    stop, counter = context.Event(), context.Value("q", 0)
    pool = ProcessPoolExecutor(workers, context, _enter, (stop, counter))
    try:
        running = {pool.submit(_work, folder, options, plan, num_threads) for plan in plans}
        while running:
            finished, running = wait(running, _POLL, FIRST_COMPLETED)
            for future in finished:
                yield future.result()
            if progress is not None:
                progress(min(counter.value, total), total)
    except BrokenProcessPool:
        raise UsfastError(
            f"{folder}: a worker process died, perhaps for want of memory; finished subjects are kept, and fewer "
            "workers may do"
        ) from None
    finally:
        stop.set()  # after an error or Ctrl-C the others leave at their next frame
        pool.shutdown(wait=True, cancel_futures=True)


def _enter(stop: Any, counter: Any) -> None:
    global _shared
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the parent asks us to stop
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _shared = stop, counter


def _leave_with_parent() -> None:
    # A pool's workers wait for ever for the next task of a parent that was killed, and hold their memory. What
    # they leave half made is removed by the run that goes on.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(folder: Path, options: DatasetOptions, plan: SubjectPlan, num_threads: int) -> dict[str, Any]:
    assert _shared is not None
    stop, counter = _shared

    def tick(frames: int) -> None:
        if stop.is_set():
            raise _Stopped
        if frames:
            with counter.get_lock():
                counter.value += frames

    tick(0)
    return write_subject(folder, options, plan, num_threads=num_threads, tick=tick)
