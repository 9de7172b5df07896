"""Every generated page: where it lies, which template renders it, and what the template sees.

Addresses are files (``papers/zhang2024negative.html``), so that they also open from a disk. A filter of the
papers' index (a family, a type, a data set, a year) is a page of its own.
"""

from __future__ import annotations

import html
import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup, escape

from catalog.base.names import name_parts
from catalog.insight import leaderboard
from catalog.insight.lineage import resolve, wanted
from catalog.insight.stats import statistics
from catalog.model.catalog import Catalog
from catalog.model.implementations import Implementation
from catalog.model.paper import Paper
from catalog.outputs.export import bibtex, ris
from catalog.outputs.export.citation import citable
from catalog.outputs.site import head, markdown
from catalog.outputs.site.author_pages import People, letter_label
from catalog.outputs.site.formats import code_after_docstring, day, duration, literal, margin, number, size
from catalog.outputs.site.glossary_links import Terms
from catalog.outputs.site.groups import FACETS, PLURALS, Group, groups_of
from catalog.outputs.site.measurements import Measurements, story
from catalog.outputs.site.overview import PAGES, Overview
from catalog.outputs.site.page import Page
from catalog.outputs.site.related import Relatives
from catalog.outputs.site.settings import Settings
from catalog.outputs.site.words import ATTACKED, COVERAGE_WORDS, RELATION_HEADINGS, RELATIONS, STATES
from catalog.outputs.wording import byline
from catalog.reading.codes import ALL_CODES

NEWEST = 20
"""Papers on the first page of the list, and as many more at a time."""

_RECORD_ID = re.compile(r"\b[a-z]+\d{4}[a-z]+\b")


class Pages:
    """All pages of one catalog."""

    def __init__(self, catalog: Catalog, templates: Path, settings: Settings):
        self.catalog = catalog
        self.settings = settings
        self.measured = Measurements(catalog, settings)
        self.boards = self.measured.boards
        self.groups = {facet: tuple(groups_of(catalog, facet)) for facet in FACETS}
        self.people = People(catalog)
        self.overview = Overview(catalog)
        self.terms = Terms(catalog.guide.glossary)
        self._relatives = Relatives(catalog)
        self._entries: dict[str, str] = {}
        self._group_by_key = {(group.facet, group.id): group for groups in self.groups.values() for group in groups}
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(templates),
            autoescape=True,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        self._environment.globals.update(
            catalog=catalog,
            byline=byline,
            settings=settings,
            boards=self.boards,
            groups=self.groups,
            group_of=lambda facet, ident: self._group_by_key[facet, str(ident)],
            references=leaderboard.REFERENCE_MEANINGS,
            relations=RELATIONS,
            plurals=PLURALS,
            states=STATES,
            found_in_words=self.measured.found_in_words,
            overview=self.overview,
            lineage=self.overview.lineage,
            overview_pages=PAGES,
            letter_label=letter_label,
            fence=markdown.fence,
            typeset=markdown.typeset,
            linked_methods=self._linked_methods,
            markdown=markdown.converter(settings.markdown_extensions),
        )
        self._environment.filters.update(
            inline=markdown.inline,
            day=day,
            number=number,
            margin=margin,
            duration=duration,
            size=size,
            literal=literal,
            call=lambda value, function: function(value),
        )

    def all(self) -> Iterator[Page]:
        """Every page, in a fixed order."""
        yield self._home()
        yield self._papers()
        yield from self.of_papers(self.catalog.by_id)
        yield Page("methods/index.md", "methods.html.j2", "Methods that run", "Every unlearning method that runs here.")
        yield from (self._implementation(one) for one in self.catalog.methods)
        yield from (self._implementation(one) for one in self.catalog.tasks)
        yield from (self._implementation(one) for one in self.catalog.attacks)
        yield Page(
            "results.md",
            "results.html.j2",
            "Results",
            "What the reference implementations measured, with seeds, versions and commands.",
            {
                "figures": {board.slug: self.measured.figure(board, large=True) for board in self.boards},
                "robustness": {board.slug: self.measured.robustness(board) for board in self.boards},
            },
        )
        yield Page(
            "coverage.md",
            "coverage.html.j2",
            "Coverage",
            "What runs here behind the papers, by family and year, and what is missed most.",
            {"stats": statistics(self.catalog), "wanted": wanted(self.catalog), "words": COVERAGE_WORDS},
        )
        yield from self.overview.pages()
        yield from self.people.pages()
        yield Page(
            "browse.md",
            "browse.html.j2",
            "Browse",
            "All papers by type, family, target, dataset, venue and year.",
        )
        for groups in self.groups.values():
            for group in groups:
                yield self._group(group)
        yield Page(
            "problems.md",
            "problems.md.j2",
            "Problems",
            "Every code that catalog validate reports, and what it means.",
            {"codes": ALL_CODES},
        )
        yield Page(
            "vocabularies.md",
            "vocabularies.md.j2",
            "Vocabularies",
            "The terms that records may use.",
            meta={"hide": []},
        )

    def of_papers(self, ids: Iterable[str]) -> Iterator[Page]:
        """The pages of papers themselves."""
        yield from (self._paper(self.catalog.by_id[ident]) for ident in ids)

    def downloads(self) -> dict[str, str]:
        """Address and text of the files beside the pages: each paper for reference managers."""
        files = {}
        for paper in citable(self.catalog.papers):
            files[f"papers/{paper.id}.bib"] = self._bibtex(paper)
            files[f"papers/{paper.id}.ris"] = ris.entry(paper)
        return files

    def bibtex(self, paper: Paper) -> str | None:
        """A paper's entry, if it may be cited."""
        return self._bibtex(paper) if list(citable([paper])) else None

    @cached_property
    def _pieces(self) -> Any:
        """The macros that pages share, for a page in the folder of the paper list."""
        return self._environment.get_template("_macros.j2").make_module()

    def list_item(self, paper: Paper) -> str:
        """A paper as it stands in the paper list, as HTML."""
        made = self._pieces.paper_item(_linker("papers"), paper, "h2")
        return re.sub(r"\n\s+", "\n", str(made)).strip()

    def _bibtex(self, paper: Paper) -> str:
        """The entry, made once for the page and the download."""
        if paper.id not in self._entries:
            self._entries[paper.id] = bibtex.entry(paper)
        return self._entries[paper.id]

    def render(self, page: Page) -> str:
        """The page as Markdown with front matter."""
        seen: set[str] = set()
        link = _linker(posixpath.dirname(page.path))
        meta = {
            "title": html.escape(page.title),
            "description": html.escape(page.description or page.title),
            "hide": ["navigation", "toc"],
            **page.meta,
        }

        def prose(text: str) -> Markup:
            """One line, with the ids of records as links to their papers."""
            return Markup(_RECORD_ID.sub(lambda found: self._cited(found[0], link), markdown.inline(text)))

        def gloss(text: str) -> Markup:
            """The text with links to the glossary where a term is first used on the page."""
            return self.terms.link(escape(text), link("glossary.html"), seen)

        template = self._environment.get_template(page.template)
        body = template.render(
            page=page,
            link=link,
            prose=prose,
            gloss=gloss,
            method=lambda ident: self._method(ident, link),
            author=lambda name: self._author(name, link),
            **page.context,
        )
        if page.is_html:
            return markdown.front_matter({"template": "generated.html", **meta}, content=markdown.compact(body))
        return markdown.front_matter(meta) + body.strip() + "\n"

    def _method(self, ident: str, link: Callable[[str], str]) -> Markup:
        """What others build on: its page, else the paper that proposes it, else its definition, else its id."""
        base = resolve(self.catalog, ident)
        if base.implementation:
            return Markup('<a href="{}">{}</a>').format(link(f"methods/{base.id}.html"), base.label)
        if base.paper:
            return Markup('<a href="{}">{}</a>').format(link(f"papers/{base.paper.id}.html"), base.label)
        if base.term:
            return Markup('<a href="{}">{}</a>').format(link("vocabularies.html") + f"#technique-{base.id}", base.label)
        return Markup("<code>{}</code>").format(ident)

    def _author(self, name: str, link: Callable[[str], str]) -> Markup:
        place, anchor, fragment = self.people.address(name).partition("#")
        return Markup('<a href="{}">{}</a>').format(f"{link(place)}{anchor}{fragment}", name)

    def hand_written(self, path: str, text: str) -> str:
        """A page that people wrote, with links to the glossary where a term is first used."""
        address = posixpath.relpath("glossary.html", posixpath.dirname(path) or ".")
        return str(self.terms.link(text, address, set())) if path.endswith(".md") else text

    def _cited(self, word: str, link: Callable[[str], str]) -> str:
        if word not in self.catalog.by_id:
            return word
        paper = self.catalog.by_id[word]
        short = f"{name_parts(paper.authors[0]).family} {paper.year}"
        return f'<a href="{link(f"papers/{word}.html")}" title="{html.escape(paper.title)}">{html.escape(short)}</a>'

    def _home(self) -> Page:
        board = next((one for one in self.boards if one.task == self.settings.headline_task), None)
        relations = [{link.relation for link in paper.implementations} for paper in self.catalog.papers]
        context = {
            "coverage": {
                "introduces": sum("introduces" in one for one in relations),
                "akin": sum(bool(one) and "introduces" not in one for one in relations),
            },
            "board": board,
            "figure": self.measured.figure(board) if board else None,
            "story": story(board, self.settings.headline_method) if board else None,
        }
        meta = {"template": "home.html"}
        return Page("index.md", "home.html.j2", "LLM-Unlearning", context=context, meta=meta)

    def _papers(self) -> Page:
        count = len(self.catalog.papers)
        return Page(
            "papers/index.md",
            "papers.html.j2",
            "Papers",
            f"All {count} papers, to be searched and filtered.",
            {"facets": FACETS, "newest": NEWEST},
        )

    def _paper(self, paper: Paper) -> Page:
        may_be_cited = bool(list(citable([paper])))
        meta: dict[str, Any] = {
            "citation": head.meta_elements(head.citation_tags(paper, self.catalog)) if may_be_cited else "",
            "jsonld": head.scholarly_article(paper, self.catalog) if may_be_cited else "",
        }
        links = [
            (
                self.catalog.implementation_by_id[one.id],
                one.relation,
                self.measured.board_of(one.id) if one.relation != "related" else None,
            )
            for one in paper.implementations
        ]
        return Page(
            f"papers/{paper.id}.md",
            "paper.html.j2",
            paper.title,
            paper.summary or paper.title,
            {
                "paper": paper,
                "links": links,
                "related": self._relatives(paper),
                "bibtex": self._bibtex(paper) if may_be_cited else None,
                "ris": ris.entry(paper) if may_be_cited else None,
                "node": resolve(self.catalog, paper.id),
                "routes": self.overview.routes_by_stop.get(("paper", paper.id), []),
                "datasets": [group for group in self.groups["dataset"] if self._introduced_by(group.id) == paper.id],
                "source_link": self._edit_link(paper.file),
                "issue_link": self._issue_link("correct-record.yml", record=paper.id),
            },
            meta,
        )

    def _group(self, group: Group) -> Page:
        """The papers of a term; data sets and venues have more to say."""
        context: dict[str, Any] = {"group": group}
        template = "group.html.j2"
        if group.facet == "dataset":
            template, term = "dataset.html.j2", self.catalog.vocabularies["dataset"][group.id]
            source = self.catalog.by_id.get(getattr(term, "paper", None) or "")
            together = Counter(other for paper in group.papers for other in paper.datasets if other != group.id)
            context |= {
                "source": source,
                "tasks": [one for one in self.catalog.tasks if source and one.paper == source.id],
                "together": together.most_common(8),
                "by_type": Counter(paper.type for paper in group.papers),
            }
        elif group.facet == "venue":
            years = Counter(paper.venue.year for paper in group.papers if paper.venue)
            template = "venue.html.j2"
            context |= {"years": sorted(years.items(), reverse=True), "by_type": Counter(p.type for p in group.papers)}
        return Page(group.path.replace(".html", ".md"), template, group.heading, group.definition, context)

    def _implementation(self, one: Implementation) -> Page:
        introduced, extended, *others = RELATION_HEADINGS.values()
        by_heading: dict[str, list[Paper]] = {each: [] for each in (introduced, extended, ATTACKED, *others)}
        for relation, paper in self.catalog.papers_of[one.id]:
            attacked = one.kind == "method" and relation == "evaluates" and "attack" in paper.contributions
            by_heading[ATTACKED if attacked else RELATION_HEADINGS[relation]].append(paper)
        if one.kind == "method":
            boards = tuple(
                board.only(one.id) for board in self.boards if any(row.method == one.id for row in board.rows)
            )
        elif one.kind == "task":
            boards = tuple(board for board in self.boards if board.task == one.id)
        else:
            boards = ()
        code, first_line = code_after_docstring(one.source)
        return Page(
            f"{one.kind}s/{one.id}.md",
            f"{one.kind}.{'html' if one.kind == 'method' else 'md'}.j2",
            one.title,
            one.summary,
            {
                "one": one,
                "claims": [claim for claim in self.catalog.claims if claim.claim.method == one.id],
                "by_heading": {heading: papers for heading, papers in by_heading.items() if papers},
                "measured": boards,
                "figures": {board.slug: self.measured.figure(board) for board in boards},
                "courses": list(self.measured.courses(one)) if one.kind == "task" else [],
                "routes": self.overview.routes_by_stop.get((one.kind, one.id), []),
                "datasets": [group for group in self.groups["dataset"] if self._introduced_by(group.id) == one.paper],
                "stories": [told for board in boards if (told := story(board, one.id))],
                "code": code,
                "first_line": first_line,
                "source_link": self._edit_link(one.file),
            },
            # A method's page has the code where the table of contents would be, and links of its own on top.
            {"hide": ["navigation", "toc"] if one.kind == "method" else ["navigation"]},
        )

    def _introduced_by(self, dataset: str) -> str | None:
        """The id of the record that introduces a data set."""
        return getattr(self.catalog.vocabularies["dataset"][dataset], "paper", None)

    def _issue_link(self, form: str, **fields: str) -> str | None:
        """An issue form of the repository, filled in as far as it can be."""
        if not self.settings.repository:
            return None
        given = urlencode({"template": form, **fields})
        return f"{self.settings.repository}/issues/new?{given}"

    def _edit_link(self, file: str) -> str | None:
        if not self.settings.repository:
            return None
        return f"{self.settings.repository}/edit/{self.settings.branch}/{file}"

    def _linked_methods(self, link: Callable[[str], str], text: str) -> str:
        """Markdown in which ids of methods in backticks lead to their pages."""

        def linked(found: re.Match[str]) -> str:
            known = self.catalog.implementation_by_id.get(found[1])
            return f"[{found[0]}]({link(f'methods/{known.id}.html')})" if known and known.kind == "method" else found[0]

        return re.sub(r"`([a-z0-9-]+)`", linked, text)


@cache
def _linker(folder: str) -> Callable[[str], str]:
    """What leads from a page in a folder to an address of the site, relatively."""
    return cache(lambda target: posixpath.relpath(target, folder or "."))
