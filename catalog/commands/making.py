"""``catalog build`` and ``catalog site``: what is made from the records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.commands.shared import Root, UsageError, find_project, load_or_stop, say, writing

if TYPE_CHECKING:
    from catalog.base.project import Project
    from catalog.outputs.readme.drift import Comparison

app = typer.Typer()
PANEL = "Build"
_NAMED = 10
"""Papers that are named where many are behind."""
site = typer.Typer(help="The static site.", no_args_is_help=True)
app.add_typer(site, name="site", rich_help_panel=PANEL)


@app.command(
    epilog="Examples: `catalog build` · `catalog build --check` · `catalog build --check --strict`",
    rich_help_panel=PANEL,
)
def build(
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Write nothing; status 1 if a committed file is wrong in more than lines of papers."
        ),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="With --check: lines of papers count, too.")] = False,
    root: Root = None,
) -> None:
    """Make the README and lists, the database, the exports and the JSON Schema for editors from the records."""
    from catalog.outputs.standing import note, standing
    from catalog.reading.kept import Kept

    if strict and not check:
        raise UsageError("--strict goes with --check.")
    project = find_project(root)
    kept = Kept(project)
    if not check and (files := standing(project, kept)) is not None:
        say(_names(project, files))
        return
    from jinja2 import TemplateError

    from catalog.outputs import build as building

    catalog = load_or_stop(project, kept)
    try:
        if check:
            _tell(building.compare(project, catalog, strict=strict))
            return
        with writing(project.root):
            made = building.build(project, catalog)
        note(project, kept, made)
    except TemplateError as error:
        place = f"{getattr(error, 'name', None) or 'readme.md.j2'}:{getattr(error, 'lineno', 1)}"
        say(f"templates/{place}: {error.message}")
        raise typer.Exit(1) from None
    say(_names(project, made))


def _names(project: Project, made: list[Path]) -> str:
    return "\n".join(str(path.relative_to(project.root)) for path in made)


def _tell(comparison: Comparison) -> None:
    """Say how the committed files are, and end with status 1 if anything but lines of papers is wrong."""
    for drift in comparison.drift:
        say(f"{drift}")
    if comparison.drift:
        say("Run `catalog build`, and commit what changes. These files are made: edit papers/ or templates/ instead.")
        raise typer.Exit(1)
    if comparison.behind:
        print(_late(comparison))
    else:
        say("README.md, the lists and the JSON Schema are up to date.")


def _late(comparison: Comparison) -> str:
    """Which files are behind, and by which papers."""
    first, *others = comparison.behind
    files = " and ".join([first, *others] if len(others) < 2 else [first, f"{len(others)} more"])
    papers = comparison.papers
    named = ", ".join(papers[:_NAMED]) + (", ..." if len(papers) > _NAMED else "")
    many = f"{len(papers)} paper{'s' if len(papers) > 1 else ''} ({named})"
    return f"{files} {'are' if others else 'is'} behind by {many}: CI writes {'them' if others else 'it'} on main."


@site.command("build", epilog="Example: `catalog site build --out public`")
def site_build(
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="DIR", help="Where to; build/site if absent.")
    ] = None,
    root: Root = None,
) -> None:
    """Build the static site."""
    from catalog.outputs.site import SiteError, build_site, models_of

    project = find_project(root)
    catalog = load_or_stop(project)
    target = (out or project.build / "site").resolve()
    try:
        asked = models_of(project)
        build_site(project, catalog, target, asked=asked)
    except SiteError as error:
        say(str(error))
        raise typer.Exit(1) from None
    say(f"The site is in {os.path.relpath(target)}: open {os.path.relpath(target / 'index.html')}")
    if asked is None:
        say("Its method pages have no models to ask in the browser: `unlearn page-models` makes them.")


@site.command("parts", epilog="Example: `catalog site parts`, after a change of site/package-lock.json")
def site_parts(root: Root = None) -> None:
    """Fetch the JavaScript that the site and its tests take from others, with npm."""
    from catalog.outputs.site.npm import PartsError, fetch_parts

    try:
        fetch_parts(find_project(root))
    except PartsError as error:
        say(str(error))
        raise typer.Exit(1) from None
    say("The parts are in site/node_modules.")


@site.command("serve", epilog="Example: `catalog site serve --port 8080`")
def site_serve(
    port: Annotated[int, typer.Option("--port", "-p", min=1, max=65535, help="The port on this machine.")] = 8000,
    root: Root = None,
) -> None:
    """Serve the site on this machine, built anew when something changes."""
    from catalog.outputs.site import SiteError, serve_site

    try:
        serve_site(find_project(root), port)
    except SiteError as error:
        say(str(error))
        raise typer.Exit(1) from None
