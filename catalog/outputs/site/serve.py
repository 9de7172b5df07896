"""The site on this machine's loopback interface, built anew when a record, a template or a page changes."""

from __future__ import annotations

import os
import posixpath
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from mkdocs.livereload import LiveReloadServer

from catalog.base.project import PACKAGE, Project
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper
from catalog.outputs.site.build import SiteError, build_site, models_of, refresh, replace_folder
from catalog.parsing.problems import render
from catalog.reading.load import load_catalog

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

HOST = "127.0.0.1"
_BESIDE = """
import sys, pathlib
from catalog.outputs.site.serve import build_beside
build_beside(*map(pathlib.Path, sys.argv[1:]))
"""


def serve_site(project: Project, port: int = 8000) -> None:
    """Build the site, serve it until interrupted, and build again whenever something it is made of changes.

    Pages that are open in a browser reload by themselves. A change that cannot be built is reported, and the
    last good site stays.

    Raises:
        OSError: the port is taken.
    """
    out = project.build / "site"
    rebuild = _Rebuild(project, out)
    server = LiveReloadServer(rebuild, HOST, port, str(out), polling_interval=0.2)
    server.set_app(rebuild.noting(server.serve_request))
    server.error_handler = lambda code: (out / "404.html").read_bytes() if code == 404 else None
    for path in [*watched(project), rebuild.done]:
        server.watch(str(path))
    rebuild()
    click.echo(f"Serving the site at {server.url} (stop with Ctrl+C)")
    try:
        server.serve()  # type: ignore[no-untyped-call]
    except KeyboardInterrupt:
        pass
    finally:
        rebuild.stop()
        server.shutdown()


def watched(project: Project) -> list[Path]:
    """What the site is made of."""
    parts = [
        project.papers,
        project.templates,
        *(path for path in project.site.iterdir() if path.name != "node_modules"),
        project.reference_impls,
        PACKAGE / "vocabularies",
        project.root / "CONTRIBUTING.md",
    ]
    return [path for path in parts if path.exists()]


def build_beside(root: Path, out: Path) -> None:
    """Build the site into a folder, in a process of its own that may be stopped at any time and gives way to others."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # an exit stops MkDocs, too
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts the server is heard there, and it stops this
    if hasattr(os, "nice"):
        os.nice(10)
    project = Project(root)
    catalog, _ = load_catalog(project)
    if catalog is None:
        sys.exit(1)
    try:
        build_site(project, catalog, out, asked=models_of(project))
    except SiteError as error:
        sys.exit(str(error))


class _Rebuild:
    """Load and build; problems are printed and the last good site stays.

    Where only records, templates or hand-written pages were edited, the pages of those records, those hand-written
    pages and the one that was looked at last come first; everything else, lists and the search, is built beside them
    and takes its place when it is complete.
    """

    def __init__(self, project: Project, out: Path) -> None:
        self.project = project
        self.out = out
        self.done = out.with_name(f"{out.name}-done")
        """A file that is watched: touching it makes browsers load the page again."""
        self._theme = 0.0
        """When the frame of all pages was last changed, as of the last build."""
        self._seen = ""
        """The page that was looked at last, by the path of its source."""
        self._around: dict[str, int] = {}
        """Everything but the records, as of the last build."""
        self._papers: Mapping[str, Paper] = {}
        self._complete = False
        """Whether all pages tell of these papers."""
        self._beside: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.done.parent.mkdir(parents=True, exist_ok=True)
        self.done.touch()

    def __call__(self) -> None:
        catalog, problems = load_catalog(self.project)
        if problems:
            click.echo(render(problems), err=True)
        if catalog is None:
            return
        around = self._everything_else()
        with self._lock:
            pages = self._pages_first(catalog, around)
            if pages is None:
                self._build(catalog, around)
            else:
                self._refresh(catalog, around, pages)

    def noting(self, app: WSGIApplication) -> WSGIApplication:
        """What answers requests, with note taken of the page that is looked at."""

        def answer(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            asked = environ.get("PATH_INFO", "")
            # Anybody may ask for anything: what leads out of the site leads nowhere.
            path = posixpath.normpath(f"/{asked}index.html" if asked.endswith("/") else f"/{asked}").lstrip("/")
            if path.endswith(".html") and (self.out / path).is_file():
                self._seen = f"{path.removesuffix('.html')}.md"
            return app(environ, start)

        return answer

    def _pages_first(self, catalog: Catalog, around: dict[str, int]) -> list[str] | None:
        """The pages that an edit shows on at once; None where all have to be built, as another set of them may be."""
        if catalog.by_id.keys() != self._papers.keys():
            return None
        edited = {path for path, _ in around.items() ^ self._around.items()}
        docs, templates = self.project.site / "docs", self.project.templates
        by_hand = {path for path in edited if path.endswith(".md") and Path(path).is_relative_to(docs)}
        if any(not Path(path).is_relative_to(templates) for path in edited - by_hand):
            return None
        written = [Path(path).relative_to(docs).as_posix() for path in sorted(by_hand)]
        records = [f"papers/{ident}.md" for ident, paper in catalog.by_id.items() if paper != self._papers[ident]]
        return [*records, *written, *([self._seen] if edited and self._seen else [])]

    def stop(self) -> None:
        """End what is being built beside."""
        if self._beside:
            self._beside.terminate()
            self._beside.wait()
            self._beside = None

    def _build(self, catalog: Catalog, around: dict[str, int]) -> None:
        """Everything, or of an unchanged frame what has changed in it."""
        self.stop()
        theme = self._theme_changed()
        try:
            asked = models_of(self.project)
            build_site(self.project, catalog, self.out, changed_only=theme == self._theme, asked=asked)
        except SiteError as error:
            click.echo(str(error), err=True)
            return
        self._theme, self._around, self._papers, self._complete = theme, around, catalog.by_id, True
        click.echo(f"Built {len(catalog.papers)} papers into {os.path.relpath(self.out)}")

    def _refresh(self, catalog: Catalog, around: dict[str, int], pages: list[str]) -> None:
        """Some pages at once, the rest beside."""
        if not pages and around == self._around and (self._complete or self._beside):
            return
        self.stop()
        self._complete = False
        try:
            made = refresh(self.project, catalog, self.out, pages)
        except SiteError as error:
            click.echo(str(error), err=True)
            return
        self._papers, self._around = catalog.by_id, around
        click.echo(f"Built {', '.join(path.removesuffix('.md') for path in made) or 'no page'}; all others follow")
        beside = self.out.with_name(f"{self.out.name}-beside")
        self._beside = subprocess.Popen([sys.executable, "-c", _BESIDE, str(self.project.root), str(beside)])
        threading.Thread(target=self._take_place, args=(self._beside, beside), daemon=True).start()

    def _take_place(self, beside: subprocess.Popen[bytes], made: Path) -> None:
        """Wait for what is being built beside, and put it in the place of the site, unless it was stopped."""
        good = beside.wait() == 0
        with self._lock:
            if self._beside is not beside:
                return
            self._beside = None
            if not good:
                return
            for ending in ("-src", ""):
                replace_folder(made.with_name(made.name + ending), self.out.with_name(self.out.name + ending))
            self._complete = True
            click.echo(f"Built {len(self._papers)} papers into {os.path.relpath(self.out)}")
        self.done.touch()

    def _theme_changed(self) -> float:
        parts = [self.project.site / "mkdocs.yml", *(self.project.site / "overrides").rglob("*")]
        return max(path.stat().st_mtime for path in parts)

    def _everything_else(self) -> dict[str, int]:
        """When each file but the records was last changed."""
        parts = [path for path in watched(self.project) if path != self.project.papers]
        files = [file for part in parts for file in (part.rglob("*") if part.is_dir() else (part,)) if file.is_file()]
        return {str(file): file.stat().st_mtime_ns for file in files}
