"""Every command line that is written down runs as written, as far as its words go, and every command is written down.

Held against the parsers themselves: subcommands and options of ``catalog`` and ``unlearn``, targets of ``make``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer
import yaml
from small_checkout import REPOSITORY

from catalog.cli import app as catalog_app
from reference_impls.cli import app as unlearn_app

HAND_WRITTEN = ("README.md", "CONTRIBUTING.md", "site/docs/**/*.md")
"""Where somebody who looks for a command would read."""

# The changelog is left out: what it tells was so once.
ALL = (
    *HAND_WRITTEN,
    "benchmarks/README.md",
    "templates/**/*.*",
    "reference_impls/**/*.py",
    "reference_impls/**/*.yaml",
    "catalog/**/*.py",
    "catalog/**/*.yaml",
    "site/*.y*ml",
    ".github/**/*.*",
    ".devcontainer/*",
    ".pre-commit-config.yaml",
    ".pre-commit-hooks.yaml",
    "Makefile",
)

# The words ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Command:
    """A command with its subcommands, or one at the end of its branch."""

    subcommands: dict[str, Command]
    options: frozenset[str]

    def leaves(self, name: str) -> Iterator[str]:
        if not self.subcommands:
            yield name
        for word, one in self.subcommands.items():
            yield from one.leaves(f"{name} {word}")

    def all_options(self) -> frozenset[str]:
        return self.options.union(*(one.all_options() for one in self.subcommands.values()))


def tree(command: Any) -> Command:
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts) if name.startswith("-")}
    below = {name: tree(one) for name, one in getattr(command, "commands", {}).items()}
    return Command(below, frozenset({"--help", *options}))


PARSERS = {
    "catalog": tree(typer.main.get_command(catalog_app)),
    "unlearn": tree(typer.main.get_command(unlearn_app)),
}
MODULES = {"catalog": "catalog", "reference_impls": "unlearn"}
OPTIONS = frozenset[str]().union(*(command.all_options() for command in PARSERS.values()))
MAKEFILE = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
TARGETS = {name for names in re.findall(r"^([\w ]+):(?!=)", MAKEFILE, re.MULTILINE) for name in names.split()}
VARIABLES = set(re.findall(r"^(\w+) *[?:]?=", MAKEFILE, re.MULTILINE))

# The lines ---------------------------------------------------------------------------------------------

YAML = {".yaml", ".yml"}
SHELLS = {"", "sh", "bash", "shell", "console"}
BEFORE = {"if", "elif", "then", "else", "do", "while", "until", "exec", "!", "$", "time"}
"""What the shell reads before the name of a command."""

NAMES = r"(?:catalog|unlearn|make)"
QUOTED = (
    # Inline code, wrapped or not; where backticks do not pair up, a blank line ends the confusion.
    re.compile(rf"(?<!`)(?P<mark>`{{1,2}})(?P<line>(?:\.venv/bin/)?{NAMES}(?![\w./-])(?:(?!\n\s*\n)[^`])*)(?P=mark)"),
    re.compile(rf"<code>(?P<line>{NAMES} [^<]*)</code>"),
    re.compile(rf"\[bold\](?P<line>{NAMES} [^\[]*)\[/"),  # the console's bold type
)
PUT_TOGETHER = re.compile(rf"""(?P<mark>["'])(?P<line>{NAMES} (?:(?!(?P=mark)).)*)(?P=mark)""")
"""What a template or a message makes a command of; in a page, quotation marks are for what people say."""

LOOSE_OPTION = re.compile(r"`{1,2}(--[a-z][\w-]*)[^`\n]*`")
"""An option by itself, which the sentence around gives to some command."""

IN_PROSE = re.compile(r"\b(?P<line>(?P<name>catalog|unlearn) (?P<word>[a-z-]+)(?: --?[a-z][\w-]*)*)")
"""Without any mark, a command is only known by one of its words: people also speak of the catalog."""


class Said(NamedTuple):
    """Words of one command, and the line that they stand on."""

    line: int
    words: list[str]


def said(path: Path, text: str) -> Iterator[Said]:
    """The commands that a file names, each as its words without the shell around them."""
    yield from marked(path, text)
    for match in IN_PROSE.finditer(text):
        if match["word"] in PARSERS[match["name"]].subcommands:
            yield from commands(text.count("\n", 0, match.start()) + 1, match["line"])


def marked(path: Path, text: str) -> Iterator[Said]:
    """Those that are set as code."""
    filled = fill_in(text)
    for line, code in code_lines(path, filled):
        yield from commands(line, code)
    for pattern in QUOTED if path.suffix == ".md" else (*QUOTED, PUT_TOGETHER):
        for match in pattern.finditer(filled):
            yield from commands(filled.count("\n", 0, match.start("line")) + 1, match["line"])


def fill_in(text: str) -> str:
    """What stands for something becomes one word that stands for something, on as many lines."""
    text = re.sub(r"""(["'])\s*~[^"'\n]+~\s*(["'])""", "X", text)  # "a " ~ one.id ~ " b", in templates
    text = re.sub(r"""(["'])\s*~[^"'\n]+?(\)\s*\}\})""", r"X\1\2", text)  # "a " ~ one.id) }}
    text = re.sub(r"\$?\{\{[^\"\n]*?\}\}|\$\(BIN\)/|<[a-z]+(?:[-_][a-z]+)*>(?=[\s`)])", placeholder, text)
    return re.sub(r"(?<=[\s`\"'])\{[\w.!]+\}", "X", text)  # of an f-string


def placeholder(match: re.Match[str]) -> str:
    return "" if match[0].startswith("$(") else "X"


def code_lines(path: Path, text: str) -> Iterator[tuple[int, str]]:
    """Lines for the shell: those of code blocks, workflows, hooks and the Makefile."""
    if path.suffix in {".md", ".j2"}:
        yield from continued(fenced(text))
    elif path.name == "Makefile":
        yield from continued(
            (number, line.lstrip("\t@")) for number, line in enumerate(text.splitlines(), 1) if line.startswith("\t")
        )
    elif path.relative_to(REPOSITORY).parts[0].startswith((".github", ".pre-commit")) and path.suffix in YAML:
        yield from continued(scripts(yaml.compose(text, Loader=yaml.SafeLoader)))


def fenced(text: str) -> Iterator[tuple[int, str]]:
    language: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if fence := re.match(r"\s*```(\w*)", line):
            language = fence[1] if language is None else None
        elif language in SHELLS:
            yield number, line


def scripts(node: yaml.Node | None) -> Iterator[tuple[int, str]]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value in {"run", "entry"} and isinstance(value, yaml.ScalarNode):
                first = value.start_mark.line + (2 if value.style in {"|", ">"} else 1)
                yield from enumerate(value.value.splitlines(), first)
            else:
                yield from scripts(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from scripts(value)


def continued(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """A line that ends in a backslash goes on in the next one."""
    first, held = 0, ""
    for number, line in lines:
        first = first if held else number
        held += line
        if held.endswith("\\"):
            held = held[:-1] + " "
        else:
            yield first, held
            held = ""
    if held:
        yield first, held


def commands(number: int, code: str) -> Iterator[Said]:
    """The commands of this project in a line of the shell."""
    lexer = shlex.shlex(re.sub(r"(?:^|\s)#(?:\s.*)?$", "", code), posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    try:
        words = list(lexer)
    except ValueError:  # an apostrophe, or a quotation that ends on another line
        words = code.replace("'", " ").replace('"', " ").split()
    part: list[str] = []
    for word in [*words, ";"]:
        if set(word) <= set("();<>|&"):
            if found := own(part):
                yield Said(number, found)
            part = []
        else:
            part.append(word)


def own(words: list[str]) -> list[str]:
    """The words from the name of one of the three commands on; nothing where another is called."""
    while words and (words[0] in BEFORE or re.match(r"\w+=", words[0])):
        words = words[1:]
    if words and words[0] == "xargs":
        words = words[1:]
        while words and words[0].startswith("-"):
            words = words[1:]
    if len(words) > 2 and words[0].startswith("python") and words[1] == "-m" and words[2] in MODULES:
        return [MODULES[words[2]], *words[3:]]
    if words and words[0].removeprefix(".venv/bin/") in {"make", *PARSERS}:
        return [words[0].removeprefix(".venv/bin/"), *words[1:]]
    return []


# What does not exist -----------------------------------------------------------------------------------


def is_placeholder(word: str) -> bool:
    return word in {"X", "...", "…"} or word.startswith(("$", "[", "{")) or word.isupper()


def wrong(words: list[str]) -> Iterator[str]:
    """What a command names and its parser does not know."""
    name, *rest = words
    if name == "make":
        for word in rest:
            variable, equals, _ = word.partition("=")
            if not word.startswith("-") and not is_placeholder(word):
                if equals and variable not in VARIABLES:
                    yield f"the Makefile has no variable {variable!r}"
                elif not equals and word not in TARGETS:
                    yield f"the Makefile has no target {word!r}"
        return
    command = PARSERS[name]
    while command.subcommands and rest and not rest[0].startswith("-"):
        word, *rest = rest
        if is_placeholder(word):
            return
        if word not in command.subcommands:
            yield f"`{name}` has no command {word!r}"
            return
        name, command = f"{name} {word}", command.subcommands[word]
    for word in rest:
        option = word.strip("[]").partition("=")[0].rstrip(".,;:")
        if re.match(r"--?[a-zA-Z]", option) and option not in command.options:
            yield f"`{name}` has no option {option!r}"


def problems(path: Path, text: str) -> list[str]:
    """What is wrong in a file, in the order of its lines."""
    found = {(one.line, what) for one in said(path, text) for what in wrong(one.words)}
    if path.suffix in {".md", ".j2"}:
        for number, line in enumerate(text.splitlines(), 1):
            options = LOOSE_OPTION.findall(line)
            # What a comment adds to a command may be said of another one, as in "saved with --out".
            if comment := re.match(rf"\s*{NAMES} .*?\s#\s(.*)", line):
                options += re.findall(r"(?<!\S)(--[a-z][\w-]*)", comment[1])
            found |= {(number, f"no command has an option {one!r}") for one in options if one not in OPTIONS}
    place = path.relative_to(REPOSITORY).as_posix()
    return [f"{place}:{line}: {what}" for line, what in sorted(found)]


def texts(patterns: tuple[str, ...]) -> dict[str, str]:
    """The files that name a command at all."""
    paths = sorted({path for pattern in patterns for path in REPOSITORY.glob(pattern) if path.is_file()})
    found = {path.relative_to(REPOSITORY).as_posix(): path.read_text(encoding="utf-8") for path in paths}
    return {name: text for name, text in found.items() if any(said(REPOSITORY / name, text))}


FILES = texts(ALL)


@pytest.mark.parametrize("name", FILES)
def test_commands_that_are_written_down_exist(name: str) -> None:
    found = problems(REPOSITORY / name, FILES[name])
    assert not found, "\n".join(found)


@pytest.fixture(scope="module")
def documented() -> set[str]:
    """Commands in the pages that people read, from their names to the end of their branch."""
    found = set()
    for name, text in texts(HAND_WRITTEN).items():
        for _, words in marked(REPOSITORY / name, text):
            found |= {" ".join(words[:length]) for length in (2, 3)}
    return found


@pytest.mark.parametrize("command", [leaf for name, parser in PARSERS.items() for leaf in parser.leaves(name)])
def test_every_command_is_written_down(command: str, documented: set[str]) -> None:
    assert command in documented, f"`{command}` stands in none of {', '.join(HAND_WRITTEN)}"


def test_files_of_each_kind_are_looked_at() -> None:
    for name in (
        "README.md",
        "CONTRIBUTING.md",
        "site/docs/tending.md",
        "templates/site/method.html.j2",
        "reference_impls/commands/running.py",
        ".github/workflows/weekly.yml",
        ".github/ISSUE_TEMPLATE/add-result.yml",
        ".pre-commit-config.yaml",
        "Makefile",
    ):
        assert name in FILES, name


# The check itself --------------------------------------------------------------------------------------

FENCE = "```"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.md", f"{FENCE}sh\ncatalog lookup x\n{FENCE}", "a.md:2: `catalog` has no command 'lookup'"),
        ("a.md", f"{FENCE}sh\n. .venv/bin/activate\ncatalog site biuld\n{FENCE}", "a.md:3: `catalog site` has no"),
        ("a.md", f"{FENCE}\nunlearn run npo \\\n  --frget X\n{FENCE}", "a.md:2: `unlearn run` has no option '--frget'"),
        ("a.md", f"{FENCE}\nls | catalog stats --x=1 > a\n{FENCE}", "a.md:2: `catalog stats` has no option '--x'"),
        ("a.md", f"{FENCE}\nunlearn list  # or --colour\n{FENCE}", "a.md:2: no command has an option '--colour'"),
        ("a.md", f"{FENCE}\nmake sites PYTON=python3\n{FENCE}", "no variable 'PYTON'"),
        ("a.md", "So `make\ninstall` it.", "a.md:1: the Makefile has no target 'install'"),
        ("a.md", "\nSay `unlearn show <id> --yaml`.", "a.md:2: `unlearn show` has no option '--yaml'"),
        ("a.md", "With `--colour`, it shines.", "no command has an option '--colour'"),
        ("a.md", "As unlearn run --yaml prints it.", "`unlearn run` has no option '--yaml'"),
        ("a.md", f"{FENCE}\n.venv/bin/catalog fix\n{FENCE}", "a.md:2: `catalog` has no command 'fix'"),
        ("a.md", f"{FENCE}\npython -m catalog fix\n{FENCE}", "a.md:2: `catalog` has no command 'fix'"),
        ("a.j2", '{{ m.command("unlearn go " ~ one.id) }}', "a.j2:1: `unlearn` has no command 'go'"),
        ("a.j2", '{{ m.command("unlearn run " ~ one.id ~ " --tsk " ~ (a | b)) }}', "no option '--tsk'"),
        ("a.py", 'epilog="Examples: `catalog export json --into FILE | jq`"', "a.py:1: `catalog export` has no option"),
        ("a.py", 'print(f"[bold]unlearn shwo {name}[/]")', "`unlearn` has no command 'shwo'"),
        ("Makefile", "site: setup\n\t@$(BIN)/catalog site biuld", "Makefile:2: `catalog site` has no command 'biuld'"),
        (".github/a.yml", "on: push\nsteps:\n  - run: |\n      set -e\n      if ! catalog chekc; then", "a.yml:5: "),
        (".github/a.yml", "steps:\n  - run: xargs -0 catalog preview --al < a", "a.yml:2: `catalog preview` has no"),
    ],
)
def test_what_does_not_exist_is_told_with_its_line(name: str, text: str, told: str) -> None:
    assert told in "\n".join(problems(REPOSITORY / name, text))


@pytest.mark.parametrize(
    "text",
    [
        "The catalog shows what papers make of it; to unlearn is to forget.",
        f"{FENCE}sh\ncatalog add <id> --dry-run  # what's new?\nCATALOG_TIMEOUT=3 catalog links | head -3\n{FENCE}",
        f"{FENCE}sh\ngit commit -m 'catalog lookup'; unlearn NAME --x\nmake PYTHON=python3.12 test\n{FENCE}",
        "`unlearn run METHOD --set beta=-1 --json`, `unlearn tune <name>` (and `--task ...`), `catalog/figures/`",
    ],
)
def test_what_stands_for_something_is_let_be(text: str) -> None:
    assert problems(REPOSITORY / "a.md", text) == []
