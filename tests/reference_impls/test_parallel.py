from __future__ import annotations

import math

import pytest

from reference_impls.running.parallel import run_all


def test_answers_come_in_the_order_of_the_jobs_and_each_end_is_told() -> None:
    ended: list[tuple[float, float]] = []
    told = lambda job, answer: ended.append((job, answer))  # noqa: E731
    assert run_all(math.sqrt, [9.0, 4.0, 1.0], told, workers=2) == [3.0, 2.0, 1.0]
    assert sorted(ended) == [(1.0, 1.0), (4.0, 2.0), (9.0, 3.0)]


def test_no_jobs_give_no_answers() -> None:
    assert run_all(math.sqrt, []) == []


def test_an_error_in_one_job_ends_all_and_is_raised_here() -> None:
    with pytest.raises(ValueError, match="math domain error"):
        run_all(math.sqrt, [4.0, -1.0], workers=1)
