"""Records in, site out."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from catalog.base.project import Project
from catalog.figures import STYLE
from catalog.model.catalog import Catalog
from catalog.model.page_models import FOLDER as FOLDER_OF_MODELS
from catalog.model.page_models import PageModelsError
from catalog.outputs.database import serialize
from catalog.outputs.site.asking import ASKED, Asked
from catalog.outputs.site.changes import changes_page, write_redirects
from catalog.outputs.site.comparison import comparison_files
from catalog.outputs.site.feeds_and_api import machine_files
from catalog.outputs.site.formulas import FormulaError
from catalog.outputs.site.npm import PartsError, part_files
from catalog.outputs.site.page import Page, alone
from catalog.outputs.site.pages import all_pages, answers, papers
from catalog.outputs.site.paper_list import list_files
from catalog.outputs.site.pictures import FOLDER, LETTERS_FILE, Pictures, picture_path
from catalog.outputs.site.policy import write_headers
from catalog.outputs.site.renderer import Renderer
from catalog.outputs.site.search_index import search_files, write_files
from catalog.outputs.site.settings import read_settings
from catalog.outputs.site.site import Site

_WARNING = re.compile(r"^(?:WARNING|ERROR)\s+-\s+(?P<message>.*)$", re.MULTILINE)
_ABOUT_DIRTY = re.compile(r"'dirty' build|stale files|cleaning the directory", re.IGNORECASE)
"""What MkDocs warns about whenever it builds changed pages only."""
_BESIDE = re.compile(r"papers/[^/]+\.(bib|ris)|api/papers/[^/]+\.json|pictures/.+\.png|ask/.+")
"""The files that every paper, or every page, has beside it, and those that pages load to be asked."""
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?!https?://|#|mailto:)(?P<path>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")


class SiteError(Exception):
    """The site could not be built; the message says what is wrong, one finding per line."""


def models_of(project: Project) -> Asked | None:
    """The models of a checkout that method pages may ask; None where none were made.

    Raises:
        SiteError: they are damaged, or what computes them is missing.
    """
    try:
        return Asked.of(project.build / FOLDER_OF_MODELS, project)
    except (PageModelsError, PartsError) as error:
        raise SiteError(str(error)) from error


def build_site(
    project: Project, catalog: Catalog, out: Path, *, changed_only: bool = False, asked: Asked | None = None
) -> None:
    """Write the whole site to ``out``, replacing what is there; same records, same bytes.

    The Markdown that MkDocs reads is kept beside it (``build/site`` and ``build/site-src``). While the new site
    is not complete, the old one stays.

    Args:
        project: the checkout.
        catalog: its catalog.
        out: the folder.
        changed_only: make only those pages anew whose Markdown has changed since the last build, for a look while
            editing. Without an earlier build, or with another set of pages, everything is made.
        asked: the models that method pages may ask.

    Raises:
        SiteError: a formula cannot be typeset, a part is missing, or MkDocs warned, about a link that
            leads nowhere for example.
    """
    source = out.with_name(f"{out.name}-src")
    fresh = out.with_name(f"{out.name}-new")
    put_back(out)
    try:
        site = Site(catalog, read_settings(project), asked)
        renderer = Renderer(site, project.templates / "site")
        wanted = _source(project, site, renderer)
        # MkDocs would only look at each of these, and copy it.
        beside = {path: wanted.pop(path) for path in [*wanted] if _BESIDE.fullmatch(path)}
        if changed_only and _paths(source) == set(wanted) and _beside(out) == set(beside):
            _write(wanted, source)
            _run_mkdocs(project, source, out, _epoch(catalog), dirty=True)
            _write(beside, out)
            _finish(project, site, renderer, out)
            return
        if source.exists():
            shutil.rmtree(source)
        _write(wanted, source)
        _run_mkdocs(project, source, fresh, _epoch(catalog))
        _write(beside, fresh)
        _finish(project, site, renderer, fresh)
        replace_folder(fresh, out)
    except (FormulaError, PartsError) as error:
        raise SiteError(str(error)) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def replace_folder(new: Path, old: Path) -> None:
    """Put a folder in the place of another, which may be missing; there is one at nearly every moment.

    A process that is killed between the two moves leaves none: :func:`put_back` sets that right.
    """
    put_back(old)
    away = _away(old)
    if old.exists():
        old.rename(away)
    new.rename(old)
    shutil.rmtree(away, ignore_errors=True)


def put_back(folder: Path) -> None:
    """Bring back what :func:`replace_folder` had moved away when it was killed, or clear it up if it is not needed."""
    away = _away(folder)
    if away.exists() and not folder.exists():
        away.rename(folder)
    shutil.rmtree(away, ignore_errors=True)


def _away(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}-old")


def refresh(project: Project, catalog: Catalog, out: Path, paths: Iterable[str]) -> list[str]:
    """Make some pages anew in a site that was built before, and nothing else, for a look while editing.

    Lists, figures and the search still tell of everything as it was.

    Args:
        project: the checkout.
        catalog: its catalog.
        out: the folder of the site.
        paths: of pages, as in :class:`~catalog.outputs.site.page.Page`.

    Returns:
        Those that were made; pages that are only made together with others are left as they are.

    Raises:
        SiteError: as for `build_site`.
    """
    source = out.with_name(f"{out.name}-src")
    wanted: dict[str, bytes] = {}
    try:
        site = Site(catalog, read_settings(project), models_of(project))
        renderer = Renderer(site, project.templates / "site")
        for path in dict.fromkeys(paths):
            if page := alone(site, path):
                wanted[path] = renderer.page(page).encode()
            elif (written := project.site / "docs" / path).is_file():
                wanted[path] = renderer.hand_written(path, written.read_text(encoding="utf-8")).encode()
    except FormulaError as error:
        raise SiteError(str(error)) from error
    if wanted:
        _write(wanted, source)
        _run_mkdocs(project, source, out, _epoch(catalog), dirty=True)
    return [*wanted]


def _source(project: Project, site: Site, renderer: Renderer) -> dict[str, bytes]:
    """Generated pages, hand-written pages and assets by their place in one folder, as MkDocs wants them."""
    catalog = site.catalog
    pages = tuple(all_pages(site))
    written = {page.path: renderer.page(page) for page in pages}
    written |= papers.downloads(site)
    written |= comparison_files(site)
    written |= machine_files(catalog, site.feeds, site.settings.site_url)
    written["contributing.md"] = renderer.hand_written("contributing.md", _contributing(project))
    written["corrections.md"] = changes_page(catalog, catalog.redirects)
    written["assets/css/figures.css"] = STYLE
    copied = {path: (project.site / "docs" / path).read_bytes() for path in _paths(project.site / "docs")}
    copied |= {
        f"assets/{path}": (project.site / "assets" / path).read_bytes() for path in _paths(project.site / "assets")
    }
    copied |= {
        path: renderer.hand_written(path, text.decode()).encode()
        for path, text in copied.items()
        if path.endswith(".md")
    }
    copied |= part_files(project)
    copied |= site.asked.files if site.asked else {}
    copied["catalog.sqlite"] = serialize(catalog)
    copied |= {path: text.encode() for path, text in written.items()}
    if site.settings.site_url:  # who shows a picture wants its whole address
        made = {page.path for page in pages}
        by_hand = {path: text for path, text in copied.items() if path.endswith(".md") and path not in made}
        copied |= _pictures(project, pages, by_hand)
    return copied


def _write(files: dict[str, bytes], folder: Path) -> None:
    """Write files, but none that is there already: MkDocs tells by the time of a file whether it has changed."""
    for name, content in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def _paths(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _beside(out: Path) -> set[str]:
    """The files beside pages in a finished site."""
    files = {f"{folder}/{path}" for folder in ("papers", "api/papers", FOLDER, ASKED) for path in _paths(out / folder)}
    return {path for path in files if _BESIDE.fullmatch(path)}


def _pictures(project: Project, pages: Iterable[Page], by_hand: Mapping[str, bytes]) -> dict[str, bytes]:
    """A picture for each page: generated ones say what they are, hand-written ones that they belong to the guide."""
    pictures = Pictures(project.site / LETTERS_FILE)
    drawn = {picture_path(page.path): pictures.draw(page.title, page.caption) for page in pages}
    for path, text in by_hand.items():
        title = re.search(r"^# (.+)$", text.decode(), re.MULTILINE)
        drawn[picture_path(path)] = pictures.draw(title[1] if title else path, "Guide")
    return drawn


def _contributing(project: Project) -> str:
    """``CONTRIBUTING.md`` as a page: links to other pages stay, links to files of the repository become names."""
    path = project.root / "CONTRIBUTING.md"
    if not path.is_file():
        return "# Contributing\n\nThis checkout has no `CONTRIBUTING.md`.\n"

    def link(match: re.Match[str]) -> str:
        text, target = match["text"], match["path"].removeprefix("./")
        if target.startswith("site/docs/"):
            return f"[{text}]({target.removeprefix('site/docs/')}{match['anchor'] or ''})"
        return f"`{target}`" if text.strip("`") == target else f"{text} (`{target}`)"

    return _LINK.sub(link, path.read_text(encoding="utf-8"))


def _run_mkdocs(project: Project, source: Path, out: Path, epoch: int, *, dirty: bool = False) -> None:
    """Run MkDocs in a process of its own: it logs, warns and reads the environment as it likes."""
    environment = os.environ | {
        "CATALOG_SITE_SOURCE": str(source),
        "NO_MKDOCS_2_WARNING": "1",
        "PYTHONHASHSEED": "0",
        "PYTHONWARNINGS": "ignore",
        "SOURCE_DATE_EPOCH": str(epoch),
    }
    command = [sys.executable, "-m", "mkdocs", "build", "--dirty" if dirty else "--strict", "-d", str(out)]
    done = subprocess.run(
        [*command, "-f", str(project.site / "mkdocs.yml")],
        env=environment,
        cwd=project.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    findings = [match["message"] for match in _WARNING.finditer(done.stdout)]
    findings = [finding for finding in findings if not (dirty and _ABOUT_DIRTY.search(finding))]
    if done.returncode or findings:
        said = findings or done.stdout.strip().splitlines()[-5:]
        raise SiteError("\n".join(["MkDocs does not accept the site:", *(f"  {line}" for line in said)]))


def _finish(project: Project, site: Site, renderer: Renderer, out: Path) -> None:
    """What happens after MkDocs: old addresses, what scripts load, headers for servers."""
    write_redirects(out, site.catalog.redirects)
    _drop_unused(out)
    write_headers(out)
    add = site.issue_link("add-paper.yml", paper="")
    files = search_files(out, site.catalog, site.people, _guide(project), add)
    write_files(out / "search", files | list_files(site.catalog, renderer.list_item, site.bibtex))


def _guide(project: Project) -> tuple[str, ...]:
    """Addresses of the hand-written pages, and of those that answer a question."""
    written = (f"{path.stem}.html" for path in sorted((project.site / "docs").glob("*.md")))
    return (*written, "contributing.html", *answers.ADDRESSES)


def _drop_unused(out: Path) -> None:
    """The theme's own search, in thirty languages, is not used."""
    for folder in ("lunr", "workers"):
        shutil.rmtree(out / "assets" / "javascripts" / folder, ignore_errors=True)


def _epoch(catalog: Catalog) -> int:
    """The moment the build claims to run at: when a record was last checked. No clock, so that bytes repeat."""
    days = [paper.provenance.checked for paper in catalog.papers] or ["2024-01-01"]
    return int(datetime.fromisoformat(max(days)).replace(tzinfo=UTC).timestamp())
