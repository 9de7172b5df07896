"""The site on this machine's loopback interface, built anew when a record, a template or a page changes."""

from __future__ import annotations

import os
from pathlib import Path

import click
from mkdocs.livereload import LiveReloadServer

from catalog.project import Project
from catalog.site.build import SiteError, build_site

HOST = "127.0.0.1"


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
    server.error_handler = lambda code: (out / "404.html").read_bytes() if code == 404 else None
    for path in watched(project):
        server.watch(str(path))
    rebuild()
    click.echo(f"Serving the site at {server.url} (stop with Ctrl+C)")
    try:
        server.serve()  # type: ignore[no-untyped-call]
    except KeyboardInterrupt:
        pass
    finally:
        server.shutdown()


def watched(project: Project) -> list[Path]:
    """What the site is made of."""
    parts = [
        project.papers,
        project.templates,
        *(path for path in project.site.iterdir() if path.name != "node_modules"),
        project.reference_impls,
        Path(__file__).parent.parent / "vocabularies",
        project.root / "CONTRIBUTING.md",
    ]
    return [path for path in parts if path.exists()]


class _Rebuild:
    """Load and build; problems are printed and the last good site stays."""

    def __init__(self, project: Project, out: Path) -> None:
        self.project = project
        self.out = out
        self._theme = 0.0
        """When the frame of all pages was last changed, as of the last build."""

    def _theme_changed(self) -> float:
        parts = [self.project.site / "mkdocs.yml", *(self.project.site / "overrides").rglob("*")]
        return max(path.stat().st_mtime for path in parts)

    def __call__(self) -> None:
        from catalog.load import load_catalog
        from catalog.problems import render

        catalog, problems = load_catalog(self.project)
        if problems:
            click.echo(render(problems), err=True)
        if catalog is None:
            return
        try:
            theme = self._theme_changed()
            build_site(self.project, catalog, self.out, changed_only=theme == self._theme)
            self._theme = theme
        except SiteError as error:
            click.echo(str(error), err=True)
        else:
            click.echo(f"Built {len(catalog.papers)} papers into {os.path.relpath(self.out)}")
