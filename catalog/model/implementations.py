"""What runs, read as data: the files of ``reference_impls`` through their syntax tree, never imported.

A method, task, benchmark or attack is one file whose module docstring is its page and whose public class declares
the rest in literals; a method's folder is its family (``methods/preference_optimization/npo.py``)::

    class NPO(LossMethod):
        paper = "zhang2024negative"
        acts_on = "loss"
        reference = "log-probabilities"
        retain = "optional"

        beta: float = hyperparameter(0.1, "Inverse temperature ...", source="Section 5", above=0)

So the site builds, and ``unlearn list`` answers, without torch; a file that cannot be read this way is a
problem with a line.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from catalog.base.files import read_plain
from catalog.base.manifest import found
from catalog.base.text import as_typed
from catalog.base.utf8 import MAX_BYTES, decode
from catalog.model.defaults import METHOD
from catalog.model.needs import NeedError, Needs
from catalog.model.recipes import PublishedRecipe, RecipeError
from catalog.parsing.problems import Problem

Kind = Literal["method", "task", "benchmark", "attack"]

_PLACES: tuple[tuple[Kind, str], ...] = (
    ("method", "methods/*/*.py"),
    ("task", "tasks/*/__init__.py"),
    ("benchmark", "published/*.py"),
    ("attack", "attacks/*.py"),
)
_REQUIRED: dict[Kind, tuple[str, ...]] = {
    "method": ("paper", "acts_on"),
    "task": ("paper", "headline"),
    "benchmark": ("paper", "headline", "variants"),
    "attack": ("paper",),
}
ACTS_ON = ("loss", "gradients", "weights", "activations", "data", "decoding", "prompt")


@dataclass(frozen=True)
class Outside:
    """Where something comes from that another package brings."""

    package: str
    """The distribution, as pip calls it."""
    module: str
    """Its module, as Python imports it."""


@dataclass(frozen=True)
class Hyperparameter:
    """One hyper-parameter of a method or attack, as its file declares it."""

    name: str
    type: str
    default: Any
    meaning: str
    source: str
    """Where the default comes from."""
    range: str
    """The allowed values in words, or ``""``."""
    line: int
    trade_off: tuple[Any, ...] = ()
    """The values at which the search tries it, if it is the one knob that trades forgetting for retaining."""


@dataclass(frozen=True)
class Implementation:
    """Something that runs: a method, a task that ships models, a published benchmark or an attack."""

    id: str
    kind: Kind
    name: str
    """The short name in parentheses of the docstring's first line (``NPO``), else the whole title."""
    title: str
    summary: str
    """The docstring's first paragraph after the title."""
    body: str
    """The docstring after the summary: Markdown with LaTeX."""
    paper: str
    """The id of the record whose method (or benchmark) the file follows."""
    family: str
    """The family of methods, which is the folder of the file; ``""`` for what is no method. The class of a method that
    another package brings says it."""
    acts_on: str
    reference: str
    headline: str
    """A task's metric that tells most about what a model still knows; ``""`` for what is no task."""
    stops_itself: bool
    """Whether a method's own rule ends its training."""
    hyperparameters: tuple[Hyperparameter, ...]
    source: str
    file: str
    """Path relative to the project's root, with forward slashes; the whole path of what another package brings."""
    line: int
    """The line of ``paper = ...``."""
    needs: Needs = field(default_factory=Needs)
    """What a method needs."""
    forgets: str = ""
    """What a task has models forget, as somebody with the like would say it."""
    utility: tuple[str, ...] = ()
    """The metrics of which a task's model utility is the harmonic mean; empty where they are TOFU's."""
    outside: Outside | None = None
    """The package that brings it, if it is not this one."""
    published: PublishedRecipe | None = None
    """With what a method's own paper trained a model of billions; None where that is not known."""
    variants: tuple[tuple[str, str], ...] = ()
    """(name, what it is) of each task that a benchmark consists of; a name in angle brackets stands for any."""

    @property
    def described(self) -> str:
        """The title without the short name behind it."""
        return self.title.removesuffix(f" ({self.name})")

    @property
    def short(self) -> str:
        """The short name as people may type it in place of the id."""
        return as_typed(self.name)

    @property
    def knob(self) -> Hyperparameter | None:
        """The one hyper-parameter that trades forgetting for retaining, if the file names one."""
        return next((hyperparameter for hyperparameter in self.hyperparameters if hyperparameter.trade_off), None)

    @property
    def task_names(self) -> tuple[str, ...]:
        """What a benchmark's tasks are called: ``tofu/forget10``."""
        return tuple(f"{self.id}/{name}" for name, _ in self.variants)

    @property
    def command(self) -> str:
        """What people type to run it, with the usual method where that is not given."""
        return {
            "method": f"unlearn run {self.id}",
            "task": f"unlearn run {METHOD} --task {self.id}",
            "benchmark": f"unlearn run {METHOD} --task {(*self.task_names, self.id)[0]} --model DIR_OR_NAME",
            "attack": f"unlearn attack {self.id} MODEL",
        }[self.kind]

    def has_task(self, name: str) -> bool:
        """Whether a benchmark has a task of that name; a variant in angle brackets stands for any but nothing."""
        family, _, variant = name.partition("/")
        names = [label for label, _ in self.variants]
        anything = any(label.startswith("<") for label in names)
        return family == self.id and (variant in names or (anything and bool(variant.strip())))

    @property
    def module(self) -> str:
        """The file as Python imports it: ``reference_impls.methods.preference_optimization.npo``."""
        if self.outside:
            return self.outside.module
        return self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@dataclass(frozen=True)
class FamilyGuide:
    """How the methods of a family relate, and which to read first: the docstring of the family's folder."""

    id: str
    """The family, as its vocabulary calls it."""
    title: str
    summary: str
    body: str
    """Markdown with LaTeX."""
    file: str
    named: tuple[tuple[str, int], ...] = ()
    """The methods with which entries of its lists begin, each with the entry's line in the file."""


class _UnreadableError(Exception):
    def __init__(self, node: ast.AST | int, code: str, message: str, hint: str) -> None:
        self.line = node if isinstance(node, int) else getattr(node, "lineno", 1)
        self.column = 1 if isinstance(node, int) else getattr(node, "col_offset", 0) + 1
        self.code, self.message, self.hint = code, message, hint


def read_implementations(package: Path, root: Path | None = None) -> tuple[list[Implementation], list[Problem]]:
    """Everything that runs in ``package`` (the folder ``reference_impls``), sorted by kind and id, with problems.

    Args:
        package: the folder of the package.
        root: what ``Implementation.file`` is relative to; the package's parent by default.
    """
    root = root or package.parent
    implementations: list[Implementation] = []
    problems: list[Problem] = []
    for path in found(package, "methods/*.py"):
        if not path.name.startswith("_"):
            file, hint = path.relative_to(root).as_posix(), f"Move it to methods/<family>/{path.name}."
            problems.append(
                Problem(file, 1, 1, "no-family-folder", "error", "a method outside a family's folder", hint)
            )
    for kind, path in _files(package):
        file = path.relative_to(root).as_posix()
        try:
            implementations.append(_read(kind, path, file))
        except _UnreadableError as error:
            problems.append(Problem(file, error.line, error.column, error.code, "error", error.message, error.hint))
    return sorted(implementations, key=lambda implementation: (implementation.kind, implementation.id)), problems


def read_outside(kind: Kind, ident: str, path: Path, outside: Outside) -> Implementation | Problem:
    """What another package brings, from its file; or what is wrong with the file.

    Args:
        kind: what it is.
        ident: the id under which it is registered.
        path: the file.
        outside: the package and the module.
    """
    try:
        return _read(kind, path, path.as_posix(), ident, outside)
    except _UnreadableError as error:
        return Problem(path.as_posix(), error.line, error.column, error.code, "error", error.message, error.hint)


def read_family_guides(package: Path, root: Path | None = None) -> tuple[dict[str, FamilyGuide], list[Problem]]:
    """The guides to the families in which something runs, by family, with problems.

    Args:
        package: the folder of the package ``reference_impls``.
        root: what ``FamilyGuide.file`` is relative to; the package's parent by default.
    """
    root = root or package.parent
    guides: dict[str, FamilyGuide] = {}
    problems: list[Problem] = []
    for path in found(package, "methods/*/__init__.py"):
        file, family = path.relative_to(root).as_posix(), path.parent.name.replace("_", "-")
        try:
            source, module = _parsed(path)
            guides[family] = FamilyGuide(family, *_docstring(module), file, tuple(_named(source)))
        except _UnreadableError as error:
            problems.append(Problem(file, error.line, error.column, error.code, "error", error.message, error.hint))
    return guides, problems


def _named(source: str) -> Iterator[tuple[str, int]]:
    for number, line in enumerate(source.splitlines(), 1):
        if entry := re.match(r"- `([a-z0-9-]+)`", line):
            yield entry[1], number


def _files(package: Path) -> Iterator[tuple[Kind, Path]]:
    for kind, pattern in _PLACES:
        for path in found(package, pattern):
            if not path.name.startswith("_") or (path.name == "__init__.py" and kind == "task"):
                yield kind, path


def _read(kind: Kind, path: Path, file: str, ident: str = "", outside: Outside | None = None) -> Implementation:
    source, module = _parsed(path)
    title, summary, body = _docstring(module)
    declaration = _declaration(module, kind)
    literals = {name: (value, node) for name, value, node in _literals(declaration)}
    for name in (*_REQUIRED[kind], *(("family",) if outside and kind == "method" else ())):
        if name not in literals:
            raise _UnreadableError(
                declaration,
                "undeclared",
                f"class {declaration.name} does not say its {name!r}",
                f'Add a line {name} = "..." to the class.',
            )
    acts_on = str(literals["acts_on"][0]) if "acts_on" in literals else ""
    if kind == "method" and acts_on not in ACTS_ON:
        raise _UnreadableError(
            literals["acts_on"][1], "bad-acts-on", f"acts_on is {acts_on!r}", f"One of: {', '.join(ACTS_ON)}."
        )
    if kind == "method" and "family" in literals and not outside:
        message, hint = "the family is said twice: the folder says it", "Delete the line."
        raise _UnreadableError(literals["family"][1], "stated-family", message, hint)
    try:
        needs = Needs.declared({name: value for name, (value, _) in literals.items()} if kind == "method" else {})
    except NeedError as error:
        raise _UnreadableError(literals[error.name][1], "bad-need", str(error), error.hint) from None
    try:
        recipe = PublishedRecipe.declared(literals["published"][0]) if "published" in literals else None
    except RecipeError as error:
        raise _UnreadableError(literals["published"][1], "bad-recipe", str(error), error.hint) from None
    stem = path.parent.name if kind == "task" else path.stem
    folder = path.parent.name.replace("_", "-") if kind == "method" else ""
    return Implementation(
        id=ident or stem.replace("_", "-"),
        kind=kind,
        name=title[title.rfind("(") + 1 : -1] if title.endswith(")") else title,
        title=title,
        summary=summary,
        body=body,
        paper=str(literals["paper"][0]),
        family=str(literals["family"][0]) if outside and kind == "method" else folder,
        acts_on=acts_on,
        reference=str(literals["reference"][0]) if "reference" in literals else "nothing",
        headline=str(literals["headline"][0]) if "headline" in literals else "",
        stops_itself=bool(literals["stops_itself"][0]) if "stops_itself" in literals else False,
        hyperparameters=tuple(_hyperparameters(declaration)),
        source=source,
        file=file,
        line=literals["paper"][1].lineno,
        needs=needs,
        forgets=str(literals["forgets"][0]) if "forgets" in literals else "",
        utility=tuple(literals["utility"][0]) if "utility" in literals else (),
        outside=outside,
        published=recipe,
        variants=tuple((str(name), str(meaning)) for name, meaning in dict(literals["variants"][0]).items())
        if "variants" in literals
        else (),
    )


def _parsed(path: Path) -> tuple[str, ast.Module]:
    """A file's text and syntax tree."""
    try:
        source = decode(read_plain(path, MAX_BYTES))
        module = ast.parse(source)
    except SyntaxError as error:
        raise _UnreadableError(
            error.lineno or 1, "bad-python", f"not valid Python: {error.msg}", "Run it once."
        ) from None
    except (OSError, ValueError, RecursionError, MemoryError) as error:
        raise _UnreadableError(
            1, "bad-python", f"cannot be read: {error or type(error).__name__}", "Save it as UTF-8 text."
        ) from None
    return source, module


def _docstring(module: ast.Module) -> tuple[str, str, str]:
    text = ast.get_docstring(module)
    if not text:
        raise _UnreadableError(
            1, "no-docstring", "has no module docstring", "Start with the title, the formula and its symbols."
        )
    title, _, rest = text.partition("\n")
    summary, _, body = rest.strip().partition("\n\n")
    return title.strip().rstrip("."), " ".join(summary.split()), body.strip()


def _declaration(module: ast.Module, kind: Kind) -> ast.ClassDef:
    """The public class whose base is named ``...Method`` (or ``...Task``, ``...Benchmark``, ``...Attack``)."""
    for node in module.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            bases = [base.id for base in node.bases if isinstance(base, ast.Name)]
            if any(base.endswith(kind.capitalize()) for base in bases):
                return node
    raise _UnreadableError(
        1,
        "no-class",
        f"declares no {kind}",
        f"Define one public class with a base that ends in {kind.capitalize()}.",
    )


def _literals(declaration: ast.ClassDef) -> Iterator[tuple[str, Any, ast.stmt]]:
    for node in declaration.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                try:
                    yield name, ast.literal_eval(value), node
                except ValueError:
                    continue


def _hyperparameters(declaration: ast.ClassDef) -> Iterator[Hyperparameter]:
    for node in declaration.body:
        match node:
            case ast.AnnAssign(
                target=ast.Name(id=name),
                annotation=annotation,
                value=ast.Call(func=ast.Name(id="hyperparameter"), args=args, keywords=keywords),
            ):
                try:
                    values = [ast.literal_eval(arg) for arg in args]
                    named = {word.arg: ast.literal_eval(word.value) for word in keywords if word.arg}
                    default, meaning = values
                except ValueError:
                    raise _UnreadableError(
                        node,
                        "bad-hyperparameter",
                        f"hyper-parameter {name!r} is not written in literals",
                        'Write hyperparameter(default, "meaning", source="...").',
                    ) from None
                yield Hyperparameter(
                    name=name,
                    type=ast.unparse(annotation),
                    default=default,
                    meaning=" ".join(str(meaning).split()),
                    source=" ".join(str(named.get("source", "")).split()),
                    range=range_in_words(named),
                    line=node.lineno,
                    trade_off=tuple(named.get("trade_off") or ()),
                )


def range_in_words(bounds: dict[str, Any]) -> str:
    """``{"above": 0}`` -> ``"> 0"``; the keys are those of ``reference_impls.toolkit.method.hyperparameter``."""
    words = []
    for key, sign in (("above", ">"), ("minimum", "≥"), ("below", "<"), ("maximum", "≤")):
        if bounds.get(key) is not None:
            words.append(f"{sign} {bounds[key]:g}")
    if bounds.get("choices"):
        words.append("one of " + ", ".join(repr(choice) for choice in bounds["choices"]))
    return " and ".join(words)
