"""Hyper-parameters, names, and what every method's file must keep to."""

from __future__ import annotations

import dataclasses
import math
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from unlearning_toys import fingerprint

from catalog.model.implementations import Implementation
from reference_impls.errors import SharedNameError, UnknownNameError, UsageError
from reference_impls.measuring.cost import count_passes
from reference_impls.progress import silent
from reference_impls.running import registry
from reference_impls.running.registry import configure, find_method, find_task, implementations, method_class, methods
from reference_impls.toolkit import (
    HyperparameterError,
    LanguageModel,
    LossMethod,
    Method,
    Recipe,
    Run,
    UnlearningData,
    hyperparameter,
)


@dataclass(frozen=True)
class _Example(Method):
    strength: float = hyperparameter(1.0, "how strongly", source="none", above=0, maximum=10)
    layers: int = hyperparameter(2, "how many", source="none", minimum=0, below=5)
    kind: str = hyperparameter("a", "which", source="none", choices=("a", "b"))
    flag: bool = hyperparameter(True, "whether", source="none")

    def unlearn(self, model: LanguageModel, data: UnlearningData, run: Run) -> LanguageModel:
        return model


# Hyper-parameters


def test_values_in_range_are_kept() -> None:
    assert _Example(strength=10, layers=0, kind="b", flag=False).strength == 10


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"strength": 0.0}, "strength must be greater than 0, not 0.0"),
        ({"strength": -1.0}, "greater than 0"),
        ({"strength": 10.5}, "strength must be at most 10, not 10.5"),
        ({"strength": math.nan}, "strength must be a number"),
        ({"strength": math.inf}, "strength must be"),
        ({"strength": "1"}, "strength must be a number"),
        ({"strength": True}, "strength must be a number"),
        ({"strength": None}, "strength must be a number"),
        ({"layers": -1}, "layers must be at least 0, not -1"),
        ({"layers": 5}, "layers must be less than 5, not 5"),
        ({"layers": 1.5}, "layers must be a whole number, not 1.5"),
        ({"kind": "c"}, "kind must be one of"),
    ],
)
def test_values_out_of_range_say_what_is_allowed(values: dict[str, Any], says: str) -> None:
    with pytest.raises(HyperparameterError, match=says.replace("(", r"\(")):
        _Example(**values)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_number_is_taken_if_and_only_if_it_is_in_range(value: float) -> None:
    allowed = 0 < value <= 10
    try:
        _Example(strength=value)
    except HyperparameterError:
        assert not allowed
    else:
        assert allowed


@pytest.mark.parametrize("method", [one.id for one in methods()])
def test_no_hyper_parameter_may_be_infinite(method: str) -> None:
    found = find_method(method)
    for one in found.hyperparameters:
        if one.type == "float":
            with pytest.raises(UsageError, match=one.name):
                configure(found, {one.name: "inf"}, {})


# Typed by a person


@pytest.mark.parametrize(
    ("method", "settings", "expected"),
    [
        ("npo", {"beta": "0.5"}, {"beta": 0.5, "retain_weight": 1.0}),
        ("npo", {"beta": "1e-3", "retain_weight": "0"}, {"beta": 0.001, "retain_weight": 0.0}),
        ("icul", {"demonstrations": "2"}, {"demonstrations": 2}),
        ("lora-negation", {"rank": "4", "scale": "3"}, {"rank": 4, "scale": 3.0, "alpha": 16.0}),
    ],
)
def test_settings_are_read_as_their_type(method: str, settings: dict[str, str], expected: dict[str, Any]) -> None:
    configured = dataclasses.asdict(configure(find_method(method), settings, {}))
    assert configured == expected
    assert {name: type(value) for name, value in configured.items()} == {
        name: type(value) for name, value in expected.items()
    }


def test_settings_win_over_the_recipe_and_the_recipe_over_the_default() -> None:
    configured = configure(find_method("npo"), {"beta": "0.5"}, {"beta": 0.3, "retain_weight": 4.0})
    assert dataclasses.asdict(configured) == {"beta": 0.5, "retain_weight": 4.0}


@pytest.mark.parametrize(
    ("method", "settings", "says"),
    [
        ("npo", {"beta": "0"}, "npo: beta must be greater than 0, not 0.0."),
        ("npo", {"beta": "much"}, "beta must be a number, not 'much'."),
        ("npo", {"beta": "nan"}, "npo: beta must be a number, not nan."),
        ("npo", {"beta": ""}, "beta must be a number, not ''."),
        ("icul", {"demonstrations": "2.5"}, "demonstrations must be a whole number, not '2.5'."),
        ("icul", {"demonstrations": "-1"}, "icul: demonstrations must be at least 0, not -1."),
        ("npo", {"bета": "1"}, "There is no hyper-parameter of npo"),
        ("npo", {"betta": "1"}, "Did you mean 'beta'?"),
        ("npo", {"retain-weigth": "1"}, "Did you mean 'retain_weight'?"),
        ("grad-diff", {"gamma": "1"}, "There is: forget_weight, retain_weight."),
        ("gradient-ascent", {"beta": "1"}, "There is: none."),
    ],
)
def test_a_bad_setting_is_one_clear_message(method: str, settings: dict[str, str], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        configure(find_method(method), settings, {})
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@given(value=st.text(max_size=10))
def test_any_text_for_a_number_is_taken_or_refused_clearly(value: str) -> None:
    try:
        configured = configure(find_method("npo"), {"beta": value}, {})
    except UsageError as error:
        said = str(error)
    else:
        said = "beta"
        assert dataclasses.asdict(configured)["beta"] > 0
    assert "beta" in said


# Names


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("npo", "npo"),
        ("NPO", "npo"),
        ("GA", "gradient-ascent"),
        ("gradient_ascent", "gradient-ascent"),
        ("Gradient-Ascent", "gradient-ascent"),
        ("GradDiff", "grad-diff"),
        ("task_vector", "task-vector"),
        ("task-vector", "task-vector"),
        ("WHP", "whp"),
        ("icul", "icul"),
        ("GU", "gu"),
        ("Geometric Unlearning", "geometric-unlearning"),
        ("Obliviate", "obliviate"),
        ("Obliviate unmemorization", "unmemorization"),
        ("SGA, TAU", "sga-tau"),
    ],
)
def test_methods_are_found_by_id_and_short_name_in_any_case(name: str, method: str) -> None:
    assert find_method(name).id == method


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("nop", "'npo'"),
        ("gradient-accent", "'gradient-ascent'"),
        ("GRADDIF", "'grad-diff'"),
        ("SGA", "'sga-smoothing' or 'sga-tau'"),
        ("obliv", "'obliviate' or 'unmemorization'"),
        ("selective gradient ascent", "'sga-tau'"),  # as its title begins
    ],
)
def test_an_unknown_method_offers_all_that_begins_so_or_the_nearest(name: str, offered: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        find_method(name)
    assert str(caught.value) == f"There is no method {name!r}. Did you mean {offered}?"


def test_an_id_wins_over_a_short_name_which_several_may_not_share(monkeypatch: pytest.MonkeyPatch) -> None:
    npo = find_method("npo")
    others = [dataclasses.replace(npo, id=ident, name=name) for ident, name in (("one", "NPO"), ("two", "Two of us"))]
    monkeypatch.setattr(registry, "methods", lambda: [*others, npo, dataclasses.replace(others[1], id="three")])
    assert find_method("NPO") is npo
    assert find_method("Two") is others[1]
    with pytest.raises(SharedNameError) as caught:
        find_method("two_of US")
    assert str(caught.value) == "More than one method is called 'two_of US'. Say which by its id: 'three' or 'two'."


@pytest.mark.parametrize(("name", "shown"), [("obliviate", ["unmemorization"]), ("npo", []), ("gradient-ascent", [])])
def test_whose_name_begins_with_anothers_is_told_where_its_id_does_not_show_it(name: str, shown: list[str]) -> None:
    assert [one.id for one in registry.namesakes(find_method(name))] == shown


def test_a_method_unlike_any_lists_all() -> None:
    with pytest.raises(UnknownNameError) as caught:
        find_method("zzzzzzzz")
    assert all(one.id in str(caught.value) for one in methods())


@given(st.text())
def test_any_name_is_found_or_refused(name: str) -> None:
    try:
        assert find_method(name) in methods()
    except UnknownNameError as error:
        said = str(error)
        assert "There is no method" in said


def test_an_unknown_task_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'authors'\?"):
        find_task("autors")


def test_the_task_is_found_by_its_id() -> None:
    assert find_task("authors").name == "authors"


# What every method's file keeps to


@pytest.fixture(params=[one.id for one in methods()])
def method(request: pytest.FixtureRequest) -> Implementation:
    return find_method(request.param)


def test_the_syntax_tree_says_what_the_class_says(method: Implementation) -> None:
    found = method_class(method)
    fields = {field.name: field for field in dataclasses.fields(found)}
    assert [one.name for one in method.hyperparameters] == list(fields)
    assert (method.paper, method.acts_on, method.reference) == (found.paper, found.acts_on, found.reference)
    assert method.reference == getattr(found, "reference", "nothing")
    for one in method.hyperparameters:
        assert one.default == fields[one.name].default
        assert type(one.default).__name__ == one.type
        assert one.meaning == fields[one.name].metadata["meaning"]
        assert one.source


def test_the_defaults_are_allowed(method: Implementation) -> None:
    assert method_class(method)() == configure(method, {}, {})


def test_the_page_has_its_sections(method: Implementation) -> None:
    sections = [line for line in method.body.splitlines() if line.startswith("## ")]
    assert sections == ["## Objective", "## Symbols", "## Facts", "## Differences"]
    assert "$$" in method.body
    assert method.summary


@dataclass(frozen=True)
class Observed:
    """Two steps of a method, with all that is asked about them: unlearning is what takes time here."""

    unlearned: Any
    start: str
    """The fingerprint of the model that was unlearned."""
    copies: int
    """At most so many at a time, beside the model that unlearns."""
    """How many were made of it meanwhile."""
    trained: int
    """The weights that an optimizer held, at most."""
    generators: int
    """Of random numbers, that were there after a step besides torch's own and the run's, at most."""


def _two_steps(
    method: Implementation,
    start: LanguageModel,
    data: UnlearningData,
    settings: Mapping[str, str] = {},
    progress: Callable[[str, int, int], None] = silent,
) -> Any:
    run = Run(Recipe(learning_rate=1e-3, steps=2, batch_size=2), seed=1, progress=progress, earlier=start.copy)
    return configure(method, settings, {}).unlearn(start.copy(), data, run)


LearnedBy = Callable[[Implementation], LanguageModel]


@pytest.fixture(scope="module")
def start_of(learned_by: LearnedBy) -> LearnedBy:
    """A model that knows the forget set, else some methods have nothing to do, and that is not certain of it, else
    those that learn from their own samples have nothing to compare."""
    made: dict[str, LanguageModel] = {}

    def start(method: Implementation) -> LanguageModel:
        if method.needs.embedded not in made:
            found = made[method.needs.embedded] = learned_by(method).copy()
            with torch.no_grad():
                found.model.model.norm.weight.mul_(0.3)
        return made[method.needs.embedded]

    return start


@pytest.fixture
def start(method: Implementation, start_of: LearnedBy) -> LanguageModel:
    return start_of(method)


@pytest.fixture(scope="module")
def observe(start_of: LearnedBy, data: UnlearningData) -> Callable[[str], Observed]:
    copy, optimizer = LanguageModel.copy, torch.optim.Optimizer.__init__

    def observed(method: str) -> Observed:
        start = start_of(find_method(method))
        copies, most, trained = list[weakref.ref[LanguageModel]](), 0, [0]
        made_generators, alive = list[weakref.ref[torch.Generator]](), [0]

        class Generator(torch.Generator):
            def __init__(self, *given: Any) -> None:
                super().__init__()
                made_generators.append(weakref.ref(self))

        def step_taken(stage: str, done: int, total: int) -> None:
            alive.append(sum(one() is not None for one in made_generators) if done else 0)

        def counted(self: LanguageModel) -> LanguageModel:
            nonlocal most
            made = copy(self)
            copies.append(weakref.ref(made))
            most = max(most, sum(one() is not None for one in copies))
            return made

        def held(self: Any, weights: Any, defaults: dict[str, Any]) -> None:
            given = list(weights)
            # Whichever optimizer it is, in groups or not; one may search for a state as well, which is no weight.
            each = [weight for one in given for weight in (one["params"] if isinstance(one, dict) else [one])]
            trained.append(sum(one.numel() for one in each if isinstance(one, torch.nn.Parameter)))
            optimizer(self, given, defaults)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(LanguageModel, "copy", counted)
            patched.setattr(torch.optim.Optimizer, "__init__", held)
            patched.setattr(torch, "Generator", Generator)
            unlearned = _two_steps(find_method(method), start, data, progress=step_taken)
        # One copy is the start's own.
        return Observed(unlearned, fingerprint(start.model), most - 1, max(trained), max(alive))

    return cache(observed)


@pytest.fixture
def observed(method: Implementation, observe: Callable[[str], Observed]) -> Observed:
    return observe(method.id)


def test_two_steps_run_and_answer(method: Implementation, observed: Observed, data: UnlearningData) -> None:
    unlearned = observed.unlearned
    (logprobs,) = unlearned.answer_logprobs([data.forget[0].prompt], [data.forget[0].answer])
    assert bool(logprobs.isfinite().all())
    assert isinstance(unlearned.generate([data.forget[0].prompt], 3)[0], str)
    if isinstance(unlearned, LanguageModel):
        assert fingerprint(unlearned.model) != observed.start
        assert all(weight.requires_grad for weight in unlearned.model.parameters())
    elif method.acts_on != "data":  # who trains on other data may need other prompts as well
        assert fingerprint(unlearned.model.model) == observed.start


def test_the_same_seed_unlearns_alike(
    method: Implementation, observed: Observed, start: LanguageModel, data: UnlearningData
) -> None:
    again = _two_steps(method, start, data)
    assert _told(observed.unlearned, data) == _told(again, data)


def test_a_method_does_not_change_between_runs(method: Implementation) -> None:
    configured: Any = configure(method, {}, {})
    with pytest.raises(dataclasses.FrozenInstanceError):
        configured.anything = 1


def test_losses_ask_for_a_reference_that_exists(method: Implementation) -> None:
    assert method.reference in ("nothing", "log-probabilities", "model")
    if issubclass(method_class(method), LossMethod):
        assert method.acts_on in ("loss", "gradients", "weights", "activations", "data")


# What a method says that it needs


def _told(unlearned: Any, data: UnlearningData) -> list[float]:
    scored = unlearned.answer_logprobs([pair.prompt for pair in data.forget], [pair.answer for pair in data.forget])
    return [float(one.sum()) for one in scored]


def test_every_method_says_whether_it_needs_what_must_stay(method: Implementation) -> None:
    found = method_class(method)
    assert "retain" in vars(found)
    needs = method.needs
    assert (needs.access, needs.retain, needs.trains) == (found.access, found.retain, found.trains)
    assert (needs.earlier, needs.exact, needs.separate) == (found.earlier, found.exact, found.separate)
    assert needs.copies == found.copies + (method.reference == "model")
    assert (needs.experts, needs.features) == ("experts" in found.parts, found.reads_features)


def test_as_many_models_are_in_memory_as_it_says(method: Implementation, observed: Observed) -> None:
    assert observed.copies == method.needs.copies


def _settings_without(method: Implementation) -> dict[str, str] | None:
    """What switches the look at what must stay off; None where nothing does."""
    if method.needs.retain == "unused":
        return {}
    weighted = any(one.name == "retain_weight" for one in method.hyperparameters)
    return {"retain_weight": "0"} if method.needs.retain == "optional" and weighted else None


def test_as_many_weights_have_an_optimizers_state_as_it_says(
    method: Implementation, observed: Observed, start: LanguageModel
) -> None:
    whole = sum(one.numel() for one in start.model.parameters())
    most = observed.trained
    allowed = {"all": most >= whole, "part": most < whole, "adapters": 0 < most < whole, "nothing": most == 0}
    assert allowed[method.needs.trains], (most, whole)


@pytest.mark.parametrize("name", [one.id for one in methods() if _settings_without(one) is not None])
def test_who_does_without_what_must_stay_learns_nothing_of_it(
    name: str, learned_by: LearnedBy, data: UnlearningData
) -> None:
    """Other examples, as many: the same model comes out, where they are not looked at or their weight is 0."""
    method = find_method(name)
    settings = _settings_without(method) or {}
    others = dataclasses.replace(
        data, retain=tuple(dataclasses.replace(one, prompt=f"Well, {one.prompt}", answer=" No.") for one in data.retain)
    )
    one, other = (_told(_two_steps(method, learned_by(method), given, settings), data) for given in (data, others))
    assert one == pytest.approx(other, abs=1e-5)


def test_who_remembers_nothing_draws_by_no_generator_of_its_own(method: Implementation, observed: Observed) -> None:
    """A savepoint holds torch's generator and the run's; what another had drawn would be drawn again."""
    assert method_class(method).remembers or not observed.generators


def test_who_needs_prompts_alone_leaves_the_weights_as_they_are(method: Implementation, observed: Observed) -> None:
    unlearned = observed.unlearned
    changed = isinstance(unlearned, LanguageModel) or not hasattr(unlearned, "model")
    untouched = not changed and fingerprint(unlearned.model.model) == observed.start
    assert untouched or method.needs.access != "prompts"
    # Whoever serves each request by itself leaves no changed weights to go on from.
    assert not (method.needs.separate and isinstance(unlearned, LanguageModel))


def test_all_files_can_be_read() -> None:
    assert {one.kind for one in implementations().values()} == {"method", "task", "benchmark", "attack"}


@pytest.mark.parametrize("name", [one.id for one in methods() if one.needs.retain != "needed"])
def test_who_does_not_need_what_must_stay_runs_without_it(
    name: str, learned_by: LearnedBy, data: UnlearningData
) -> None:
    settings = {"n": "2"} if name == "ga-until-forgotten" else {}  # the answers here are short
    method = find_method(name)
    unlearned = _two_steps(method, learned_by(method), dataclasses.replace(data, retain=()), settings)
    assert all(math.isfinite(one) for one in _told(unlearned, data))


@pytest.mark.parametrize("name", [one.id for one in methods() if _settings_without(one) is not None])
def test_what_is_not_looked_at_costs_no_pass(name: str, learned_by: LearnedBy, data: UnlearningData) -> None:
    method = find_method(name)
    if not issubclass(method_class(method), LossMethod):
        return  # one with a loop of its own may pass what it likes
    learned = learned_by(method)
    with count_passes(learned.model) as passes:
        _two_steps(method, learned, data, _settings_without(method) or {})
    each = 1 + getattr(method_class(method), "alternates", False)
    assert passes.backward in (2 * 2, 2 * 2 * each)  # steps, forget pairs, and their alternates
