"""What a paper's page says to machines: ``citation_*`` tags (Google Scholar, Zotero) and JSON-LD (schema.org)."""

from __future__ import annotations

import html
import json
from typing import Any

from catalog.base.names import is_group
from catalog.model.catalog import Catalog
from catalog.model.facets import labels_of
from catalog.model.paper import Paper
from catalog.outputs.export.citation import publication

_CONTAINER_TAGS = {"article": "citation_journal_title", "conference": "citation_conference_title"}
_CONTAINER_TYPES = {"article": "Periodical", "conference": "PublicationEvent", "web": "WebSite"}


def citation_tags(paper: Paper, catalog: Catalog) -> list[list[str]]:
    """(name, content) of every ``citation_*`` tag, in the order in which Zotero reads them."""
    links = paper.links
    tags = [["citation_title", paper.title]]
    tags += [["citation_author", author] for author in paper.authors]
    place = publication(paper)
    first = paper.date.replace("-", "/")
    # Who reads one year wants that of the venue, as in every citation.
    published = first if place.year == paper.year else str(place.year)
    tags += [["citation_publication_date", published], ["citation_online_date", first]]
    if place.kind in _CONTAINER_TAGS:
        tags.append([_CONTAINER_TAGS[place.kind], place.container])
    if links.doi:
        tags.append(["citation_doi", links.doi])
    if links.arxiv:
        tags.append(["citation_arxiv_id", links.arxiv])
    if links.pdf:
        tags.append(["citation_pdf_url", links.pdf])
    if links.addresses:
        tags.append(["citation_public_url", links.addresses[0][1]])
    tags += [["citation_keywords", word] for word in _keywords(paper, catalog)]
    return tags


def meta_elements(tags: list[list[str]]) -> str:
    """The tags as HTML: one text in the front matter is read much faster than a list of lists."""
    return "\n".join(f'<meta name="{html.escape(name)}" content="{html.escape(content)}">' for name, content in tags)


def scholarly_article(paper: Paper, catalog: Catalog) -> str:
    """The paper as JSON-LD, safe inside a ``script`` element."""
    article: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "BlogPosting" if paper.type == "blog" else "ScholarlyArticle",
        "headline": paper.title,
        "name": paper.title,
        "author": [
            {"@type": "Organization" if is_group(author) else "Person", "name": author} for author in paper.authors
        ],
        "datePublished": paper.date,
        "inLanguage": "en",
        "keywords": _keywords(paper, catalog),
    }
    if paper.summary:
        article["description"] = paper.summary
    place = publication(paper)
    if place.container:
        article["isPartOf"] = {"@type": _CONTAINER_TYPES[place.kind], "name": place.container}
    if paper.links.doi:
        article["identifier"] = {"@type": "PropertyValue", "propertyID": "DOI", "value": paper.links.doi}
    addresses = [address for kind, address in paper.links.addresses if kind not in ("Code", "Project", "Data")]
    if addresses:
        article["url"], article["sameAs"] = addresses[0], addresses
    if paper.links.code:
        article["associatedMedia"] = {"@type": "SoftwareSourceCode", "codeRepository": paper.links.code}
    return script_safe(json.dumps(article, ensure_ascii=False, sort_keys=True))


def script_safe(text: str) -> str:
    """JSON that cannot end the ``script`` element around it, nor be split by a line separator."""
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _keywords(paper: Paper, catalog: Catalog) -> list[str]:
    words = ["machine unlearning", "large language models"]
    for facet in ("type", "family", "target", "dataset"):
        words += labels_of(paper, facet, catalog.vocabularies)
    if paper.method and paper.method.name:
        words.append(paper.method.name)
    return list(dict.fromkeys(words))
