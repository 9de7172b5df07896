"""Who wrote what: the records know authors by their names only, and this says so where a name may be several people's.

Names that differ in case, accents or punctuation only are one author. Two papers are taken to be by the same person as
far as their other authors connect them; what no co-author connects is kept apart under one name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from catalog.base.names import name_parts
from catalog.base.text import fold, slug, words
from catalog.model.catalog import Catalog
from catalog.model.paper import Paper


@dataclass(frozen=True)
class Author:
    """A name, with all papers under it, newest first."""

    id: str
    """The address of the page, as in ``sijia-liu``."""
    name: str
    """The spelling that most papers use; of equals the newest."""
    spellings: tuple[str, ...]
    """All of them, that one first."""
    papers: tuple[Paper, ...]
    groups: tuple[tuple[Paper, ...], ...]
    """The papers apart where no other author connects them, largest group first. One group: nothing speaks against
    one person."""
    co_authors: tuple[tuple[str, int], ...]
    """(id, number of common papers), most first."""

    @property
    def letter(self) -> str:
        """Where the index lists the name: the family name's first letter, or ``other``."""
        first = fold(name_parts(self.name).family)[:1]
        return first if "a" <= first <= "z" else "other"

    @property
    def years(self) -> str:
        """``2023–2026``, or the one year."""
        first, last = self.papers[-1].year, self.papers[0].year
        return str(first) if first == last else f"{first}–{last}"


def authors(catalog: Catalog) -> dict[str, Author]:
    """All authors by id, in the order of an index: by family name, then given name."""
    spelled: dict[str, Counter[str]] = {}
    written: dict[str, list[Paper]] = {}
    for paper in catalog.papers:
        for ident, name in {author_id(name): name for name in paper.authors}.items():
            spelled.setdefault(ident, Counter())[name] += 1
            written.setdefault(ident, []).append(paper)
    people = [_author(ident, spelled[ident], tuple(papers)) for ident, papers in written.items()]
    return {author.id: author for author in sorted(people, key=_order)}


@cache  # every page that names somebody asks
def author_id(name: str) -> str:
    """The same for all spellings of a name. A name without Latin letters gets the numbers of its characters.

    >>> author_id("Ivan Vulić"), author_id("李 明")
    ('ivan-vulic', 'u674e-u660e')
    """
    return slug(name) or "-".join(f"u{ord(letter):x}" for letter in name if not letter.isspace())


def _author(ident: str, spelled: Counter[str], papers: tuple[Paper, ...]) -> Author:
    common = Counter(
        co_author for paper in papers for co_author in {author_id(name) for name in paper.authors} - {ident}
    )
    return Author(
        id=ident,
        name=spelled.most_common(1)[0][0],
        spellings=tuple(name for name, _ in spelled.most_common()),
        papers=papers,
        groups=_groups(ident, papers),
        co_authors=tuple(sorted(common.items(), key=lambda pair: (-pair[1], pair[0]))),
    )


def _groups(ident: str, papers: Sequence[Paper]) -> tuple[tuple[Paper, ...], ...]:
    """Papers that share another author, directly or through further papers of this name."""
    groups: list[tuple[set[str], list[Paper]]] = []
    for paper in papers:
        co_authors = {author_id(name) for name in paper.authors} - {ident}
        joined = [group for group in groups if group[0] & co_authors]
        groups = [group for group in groups if not group[0] & co_authors]
        groups.append(
            (co_authors.union(*(names for names, _ in joined)), [member for _, ps in joined for member in ps] + [paper])
        )
    place = {paper.id: number for number, paper in enumerate(papers)}
    sorted_groups = [tuple(sorted(ps, key=lambda member: place[member.id])) for _, ps in groups]
    return tuple(sorted(sorted_groups, key=lambda ps: (-len(ps), place[ps[0].id])))


def _order(author: Author) -> tuple[list[str], list[str], str]:
    parts = name_parts(author.name)
    return words(parts.family), words(author.name), author.id
