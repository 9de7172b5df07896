"""What was corrected, as a page; and pages at the addresses of records that are no more."""

from __future__ import annotations

from html import escape as html
from pathlib import Path

from catalog.model.catalog import Catalog
from catalog.model.redirects import Redirects
from catalog.outputs.wording import escape

_STATES = {
    "retracted": "Retracted",
    "withdrawn": "Withdrawn by their authors",
    "superseded": "Superseded",
    "revised": "Revised in substance",
}


def changes_page(catalog: Catalog, redirects: Redirects) -> str:
    """The page that lists papers that are no longer what they were, new titles, and ids that moved or went."""
    lines = [
        "# Corrections",
        "",
        "What changed after it was published or listed. Every record says where its facts come from and when somebody "
        "last looked; corrections to records are in the history of the repository.",
    ]
    for kind, title in _STATES.items():
        papers = [paper for paper in catalog.papers if paper.state and paper.state.kind == kind]
        if papers:
            lines += ["", f"## {title}", ""]
            for paper in papers:
                assert paper.state
                said = ", ".join(escape(part) for part in (paper.state.date, paper.state.note) if part)
                by = f" See [{paper.state.by}](papers/{paper.state.by}.md)." if paper.state.by else ""
                lines.append(f"- [{escape(paper.title)}](papers/{paper.id}.md){f': {said}' if said else ''}{by}")
    renamed = [paper for paper in catalog.papers if paper.former_titles]
    if renamed:
        lines += ["", "## New titles", ""]
        for paper in renamed:
            former = "; ".join(f"“{escape(title)}”" for title in paper.former_titles)
            lines.append(f"- [{escape(paper.title)}](papers/{paper.id}.md), formerly {former}")
    if redirects.moved or redirects.removed:
        lines += ["", "## Records that moved or went", ""]
        for old, new in sorted(redirects.moved.items()):
            there = f"[`{new}`](papers/{new}.md)" if new in catalog.by_id else f"`{new}`"
            lines.append(f"- `{old}` is now {there}.")
        lines += [f"- `{old}` was removed: {escape(why)}" for old, why in sorted(redirects.removed.items())]
    return "\n".join(lines) + "\n"


def write_redirects(out: Path, redirects: Redirects) -> None:
    """Pages at old addresses: one leads on, also without JavaScript; one says why there is nothing."""
    pages = {
        old: _page(
            "Moved",
            f'<p>This record is now <a href="{new}.html">{new}</a>.</p>',
            f'<meta http-equiv="refresh" content="0; url={new}.html"><link rel="canonical" href="{new}.html">',
        )
        for old, new in redirects.moved.items()
    }
    pages |= {
        old: _page("Removed", f'<p>{html(why)}</p><p><a href="index.html">All papers</a></p>', "")
        for old, why in redirects.removed.items()
    }
    for old, text in pages.items():
        path = out / "papers" / f"{old}.html"
        if not path.exists():
            path.write_text(text, encoding="utf-8")


def _page(title: str, body: str, head: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="robots" content="noindex">'
        f"<title>{title}</title>{head}</head><body><h1>{title}</h1>{body}</body></html>\n"
    )
