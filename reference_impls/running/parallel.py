"""Independent runs at once, one process per core."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import TypeVar

Job = TypeVar("Job")
Answer = TypeVar("Answer")


def run_all(
    function: Callable[[Job], Answer],
    jobs: Sequence[Job],
    done: Callable[[Job, Answer], None] = lambda job, answer: None,
    workers: int | None = None,
) -> list[Answer]:
    """``function`` of each job, in the jobs' order; ``done`` is called with job and answer as each one ends.

    Args:
        function: of a module, so that another process finds it.
        jobs: what can be sent to another process.
        done: called in this process.
        workers: how many at a time; the number of cores by default.
    """
    context = multiprocessing.get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(workers or os.cpu_count(), mp_context=context) as pool:
        futures = {pool.submit(function, job): place for place, job in enumerate(jobs)}
        answers: dict[int, Answer] = {}
        try:
            for future in as_completed(futures):
                answers[futures[future]] = future.result()
                done(jobs[futures[future]], answers[futures[future]])
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return [answers[place] for place in range(len(jobs))]
