from __future__ import annotations

from pathlib import Path

import pytest
from invented_results import invented_result

from catalog.insight.leaderboard import boards
from catalog.model.catalog import Catalog
from catalog.model.metrics import Metric
from catalog.model.results import EMBEDDED, Result, read_results

P_VALUE = Metric(id="forget_quality", label="Forget quality", scale="log10", passed=0.05, range=(0, 1))
RELEARNING = Metric(id="relearning", label="After relearning")
PREFIX = Metric(id="prefix", label="Answer begun")


def catalog(*results: Result) -> Catalog:
    return Catalog((), (), results, {}, metrics=(P_VALUE, RELEARNING, PREFIX))


def of(method: str, seed: int = 0, **numbers: dict[str, float]) -> Result:
    return invented_result(method=method, seed=seed, **numbers)


# p-values


@pytest.mark.parametrize(("p", "shown"), [(1.0, 0.0), (0.05, -1.30103), (1e-8, -8.0)])
def test_a_p_value_is_shown_as_its_logarithm(p: float, shown: float) -> None:
    assert P_VALUE.shown(p) == pytest.approx(shown)


def test_a_p_value_of_0_has_the_logarithm_of_the_smallest_number() -> None:
    assert -309 < P_VALUE.shown(0.0) < -307


def test_the_heading_of_its_column_says_so() -> None:
    assert P_VALUE.heading == "Forget quality, log₁₀ p"
    assert RELEARNING.heading == "After relearning"


def test_other_numbers_are_shown_as_they_are() -> None:
    assert RELEARNING.shown(0.25) == 0.25


def test_the_range_of_a_logarithm_has_one_end() -> None:
    assert P_VALUE.span == "at most 0"


def test_a_cell_is_the_mean_of_the_logarithms() -> None:
    runs = [of("npo", seed, metrics={"forget_quality": p}) for seed, p in enumerate((1e-2, 1e-4, 1e-6))]
    (board,) = boards(catalog(*runs))
    cell = board.rows[0].cells["forget_quality"]
    assert cell is not None
    assert cell.mean == pytest.approx(-4.0)


# Attacks that tell nothing


@pytest.mark.parametrize(
    ("target", "retrained", "blind"),
    [
        (0.96, 0.45, False),
        (0.16, 0.10, True),  # the target falls as well
        (0.95, 0.90, True),  # the retrained model gives as much
        (0.45, 0.20, False),  # just enough
        (0.30, 0.60, False),  # apart the other way round, as where a model avoids what it knows
    ],
)
def test_an_attack_that_cannot_tell_the_references_apart_is_no_column(
    target: float, retrained: float, blind: bool
) -> None:
    (board,) = boards(
        catalog(
            of("target", attacks={"prefix": target, "relearning": 0.9}),
            of("retrained", attacks={"prefix": retrained, "relearning": 0.4}),
            of("npo", attacks={"prefix": 0.2, "relearning": 0.7}),
        )
    )
    assert [one.id for one in board.attacks] == (["relearning"] if blind else ["relearning", "prefix"])
    assert [(one.metric.id, one.target, one.retrained) for one in board.blind] == (
        [("prefix", target, retrained)] if blind else []
    )


def test_models_retrained_with_other_seeds_are_rows_of_their_own_and_nothing_to_compare_with() -> None:
    (board,) = boards(
        catalog(
            *(of("retrained", seed, metrics={"forget_quality": p}) for seed, p in enumerate((1.0, 0.8, 0.6))),
            of("target", metrics={"forget_quality": 1e-9}),
            *(of("npo", seed, metrics={"forget_quality": 1e-4}) for seed in range(3)),
        )
    )
    assert [row.label for row in board.rows] == [
        "Target", "Retrained", "Retrained (again, seed 1)", "Retrained (again, seed 2)", "npo",
    ]  # fmt: skip
    reference = board.reference("retrained")
    assert reference is not None
    assert reference.seeds == (0,)
    assert board.rows[-1].seeds == (0, 1, 2)


def test_without_both_references_every_attack_is_shown() -> None:
    (board,) = boards(catalog(of("target", attacks={"prefix": 0.1}), of("npo", attacks={"prefix": 0.2})))
    assert [one.id for one in board.attacks] == ["prefix"]
    assert board.blind == ()


# Order


def test_methods_stand_by_how_near_they_are_to_the_retrained_model_whichever_side_they_are_on() -> None:
    known = {"target": 0.9, "retrained": 0.4, "far": 0.8, "above": 0.5, "below": 0.35, "silent": None}
    (board,) = boards(
        catalog(*(of(name, metrics={} if p is None else {"forget_probability": p}) for name, p in known.items()))
    )
    assert [row.method for row in board.rows] == ["target", "retrained", "below", "above", "far", "silent"]


def test_the_distance_is_to_the_retrained_model_under_the_same_attack() -> None:
    (board,) = boards(
        catalog(
            of("target", attacks={"relearning": 0.9}),
            of("retrained", attacks={"relearning": 0.4}),
            of("npo", attacks={"relearning": 0.1}),
        )
    )
    assert board.distance(board.rows[-1], RELEARNING.id) == pytest.approx(0.3)
    assert board.distance(board.rows[-1], PREFIX.id) is None


def test_seeds_on_either_side_of_the_retrained_model_do_not_cancel() -> None:
    """Means of .45 and .5 beside .45: the first is .2 away with each seed, the second .05."""
    runs = [
        *(of("wild", seed, metrics={"forget_probability": p}) for seed, p in enumerate((0.25, 0.65))),
        *(of("tame", seed, metrics={"forget_probability": 0.5}) for seed in range(2)),
    ]
    (board,) = boards(catalog(of("target"), of("retrained", metrics={"forget_probability": 0.45}), *runs))
    assert [row.method for row in board.methods] == ["tame", "wild"]
    assert [board.distance(row, "forget_probability") for row in board.methods] == pytest.approx([0.05, 0.2])


def test_an_attack_that_the_retrained_model_cannot_undergo_is_held_against_what_it_knows_when_asked() -> None:
    """What is left when a wrapper is taken away: all that the target knows is the worst there is, and not the best."""
    unwrapped = Metric(id="unwrapped", label="Unwrapped", better="retrained")
    references = [of(which, metrics={"forget_probability": p}) for which, p in (("target", 1.0), ("retrained", 0.3))]
    wrapped = [of(f"w{place:02}", attacks={"unwrapped": 1.0 if place else 0.35}) for place in range(11)]
    (board,) = boards(Catalog((), (), (*references, *wrapped), {}, metrics=(unwrapped,)))
    assert board.distance(board.rows[-1], "unwrapped") == pytest.approx(0.7)
    assert {row.method: row.standings.get("unwrapped") for row in board.methods if row.standings} == {"w00": 3}


# What the retrained model says nothing of, and what is fainter


def test_a_comparison_with_the_retrained_model_is_settled_for_it_and_passed_with_every_seed_only() -> None:
    metric = P_VALUE.model_copy(update={"against": "retrained"})
    runs = {"target": (1e-9,), "retrained": (1.0, 0.3), "all": (0.4, 0.06), "some": (0.9, 0.04)}
    results = [
        of(name, seed, metrics={"forget_quality": p}) for name, values in runs.items() for seed, p in enumerate(values)
    ]
    (board,) = boards(Catalog((), (), tuple(results), {}, metrics=(metric,)))
    told = {row.label: (board.settled(row, metric), board.passed(row, metric)) for row in board.rows}
    assert told == {
        "Target": (False, False),
        "Retrained": (True, False),
        "Retrained (again, seed 1)": (False, True),
        "all": (False, True),
        "some": (False, False),
    }


def test_the_line_is_the_least_distance_beyond_chance() -> None:
    pairs = ((0.10, 0.8), (0.21, 0.051), (0.22, 0.049), (0.40, 1e-6))
    runs = [of("npo", s, metrics={"forget_distance": d, "forget_quality": p}) for s, (d, p) in enumerate(pairs)]
    (board,) = boards(catalog(*runs))
    assert board.line == 0.22
    (none,) = boards(catalog(runs[0]))
    assert none.line is None


@pytest.mark.parametrize(
    ("known", "preferred", "fainter"),
    [
        (0.5, 0.9, True),  # .8 of the way, and 1/6 in what it prefers
        (0.5, 1.0, True),  # no way at all
        (0.5, 0.5, False),  # 5/6
        (0.9, 0.9, False),  # not half way: not even fainter
        (0.5, None, False),
    ],
)
def test_what_prefers_the_truth_as_before_is_only_fainter(known: float, preferred: float | None, fainter: bool) -> None:
    def run(method: str, p: float, truth: float | None) -> Result:
        told = {} if truth is None else {"forget_truth_preferred": truth}
        return of(method, metrics={"forget_probability": p, **told})

    (board,) = boards(catalog(run("target", 0.9, 1.0), run("retrained", 0.4, 0.4), run("npo", known, preferred)))
    assert board.fainter(board.rows[-1]) is fainter
    assert board.some_fainter is fainter
    assert not any(map(board.fainter, board.references))


def test_the_embedded_models_board_comes_first_and_a_larger_models_says_whose_it_is(tmp_path: Path) -> None:
    for model in ("abc", EMBEDDED):
        for method in ("target", "retrained", "npo"):
            result = of(method).model_copy(update={"model": model})
            (tmp_path / result.file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / result.file).write_text(result.to_json(), encoding="utf-8")
    results, problems = read_results(tmp_path, tmp_path)
    assert not problems
    first, second = boards(catalog(*results))
    assert (first.model, first.embedded, first.title) == (EMBEDDED, True, first.task_name)
    assert (second.model, second.embedded, second.title) == ("abc", False, f"{second.task_name}: abc")


# What is good among all


@pytest.mark.parametrize(
    ("better", "best"),
    [
        ("higher", ["m19", "m18"]),
        ("lower", ["m00", "m01"]),
        ("retrained", ["m10", "m11"]),  # the retrained model has 0.51
    ],
)
def test_cells_stand_in_the_best_tenth_quarter_and_half_of_their_column(better: str, best: list[str]) -> None:
    metric = Metric(id="know", label="Knows", better=better)  # type: ignore[arg-type]
    runs = [of(f"m{place:02}", metrics={"know": place / 20}) for place in range(20)]
    known = Catalog((), (), (*runs, of("retrained", metrics={"know": 0.51})), {}, metrics=(metric,))
    (board,) = boards(known)
    levels = {row.method: row.standings.get("know", 0) for row in board.methods}
    assert sorted(levels.values(), reverse=True) == [3] * 2 + [2] * 3 + [1] * 5 + [0] * 10
    assert sorted(method for method, level in levels.items() if level == 3) == sorted(best)
    assert all(not row.standings for row in board.references)
    assert board.only("m10").methods[0].standings == board.row("m10").standings  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("best", "levels"),
    [(12, [0] * 12), (3, [2] * 3 + [1] + [0] * 8), (1, [3, 2, 2, 1] + [0] * 8), (4, [1] * 4 + [0] * 8)],
)
def test_equal_cells_stand_equally_and_not_where_there_is_no_room_for_all(best: int, levels: list[int]) -> None:
    """Of 12 methods one is the best tenth, three are the best quarter, six the best half; the last ones are equal."""
    metric = Metric(id="know", label="Knows")
    values = [1.0 + 1e-12 * place for place in range(best)] + [0.9, 0.8, 0.7][: 4 - best or 0]
    values = (values + [0.5] * 12)[:12]
    some = [of(f"m{place:02}", metrics={"know": value}) for place, value in enumerate(values)]
    (board,) = boards(Catalog((), (), tuple(some), {}, metrics=(metric,)))
    assert sorted((row.standings.get("know", 0) for row in board.methods), reverse=True) == levels


def test_few_methods_are_not_told_apart() -> None:
    metric = Metric(id="know", label="Knows")
    some = [of(f"m{place:02}", metrics={"know": place / 10}) for place in range(12)]
    (few,) = boards(Catalog((), (), tuple(some[:9]), {}, metrics=(metric,)))
    assert not any(row.standings for row in few.methods)


def test_the_nearest_rows_come_with_the_references() -> None:
    runs = [of(f"m{place}", metrics={"forget_probability": place / 10}) for place in range(6)]
    (board,) = boards(catalog(*runs, of("target"), of("retrained", metrics={"forget_probability": 0.21})))
    assert [row.method for row in board.nearest(3).rows] == ["target", "retrained", "m2", "m3", "m1"]
