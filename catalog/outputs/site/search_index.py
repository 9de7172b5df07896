"""The index that the search and the paper list ask, cut into pieces of which a query loads a few.

::

    search/index.js          how many documents there are, the first word of every piece, and how queries are read
    search/words-<n>.js      words in alphabetical order, each with the documents that hold it and how much it says;
                             among them, behind a sign that no word has, ids and addresses of papers
                             (``=arxiv:2404.05868``), and what people call exactly this document (``=name:npo``)
    search/spelling-<n>.js   every word of n letters, loaded where a word is not known: the nearest are taken instead
    search/documents-<n>.js  title, kind, place and address of a few documents, for showing what was found

What a word says of a document (``_postings``) is worked out here, after BM25F; what it is worth for a query depends
on how many documents hold it, and is worked out in the browser (``site/assets/js/find.js``).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from catalog.base.text import same_title, words
from catalog.model.catalog import Catalog
from catalog.model.pasted import by_handle
from catalog.outputs.site.author_addresses import People
from catalog.outputs.site.documents import Document, documents
from catalog.outputs.site.packing import ALPHABET, script, sorted_words, varint
from catalog.outputs.site.query_rules import query_rules
from catalog.outputs.spellings import Compounds

BLOCK = 16
"""Documents in one file: what is found lies all over, so a file is small."""
PIECE = 5_000
"""Characters of words and documents in one file, about half of it when compressed: a query loads a few files, and of
each needs a few words."""

_BOOSTS = {"title": 4.0, "names": 4.0, "text": 1.0}
_SATURATION = 1.2
_LENGTH = 0.7
_KINDS = {"Paper": 1.0, "Method": 1.0, "Attack": 1.0, "Task": 1.0, "Term": 1.0, "Author": 0.75}
"""What counts fully or nearly; everything else counts half, and so do the sections of a page."""
_LONGEST = 40


def search_files(
    out: Path, catalog: Catalog, people: People, guide: tuple[str, ...], add: str | None = None
) -> dict[str, str]:
    """Name and text of every file of the index; the papers are the first documents, in the catalog's order.

    Args:
        out: the folder of the finished site.
        catalog: whose papers, methods, tasks and terms are to be found.
        people: its authors.
        guide: addresses of the other pages to be found, below ``out``.
        add: where a paper is added; what a query names comes at its end. None: on the page about contributing.
    """
    entries = list(documents(out, catalog, people, guide))
    files = dict(_blocks(entries))
    postings = _postings(entries) | _keys(entries, catalog)
    written = {word for document in entries for name in _BOOSTS for word in words(getattr(document, name))}
    in_order = sorted(postings, key=lambda word: word.encode("utf-16-be"))  # as JavaScript compares
    starts = []
    for number, piece in enumerate(_pieces(in_order, postings)):
        starts.append(piece[0])
        name = f"words-{number}"
        files[f"{name}.js"] = script(
            name, [" ".join(sorted_words(piece)), " ".join(postings[word][0] for word in piece)]
        )
    lengths: dict[int, list[str]] = {}
    for word in in_order:
        if word.isalpha() and word in written:  # nobody means another number than the one typed
            lengths.setdefault(len(word), []).append(word)
    for length, group in lengths.items():
        often = (ALPHABET[postings[word][1].bit_length()] for word in group)
        heads = (head[0] + letter + head[1:] for letter, head in zip(often, sorted_words(group), strict=True))
        files[f"spelling-{length}.js"] = script(f"spelling-{length}", " ".join(heads))
    files["index.js"] = script(
        "index",
        {
            "add": add,
            "block": BLOCK,
            "documents": len(entries),
            "lengths": sorted(lengths),
            "papers": len(catalog.papers),
            "rules": query_rules(),
            "starts": " ".join(starts),
            "version": _version(files),
        },
    )
    return files


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write files to a folder that holds no others afterwards."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _version(files: dict[str, str]) -> str:
    """Part of the files' addresses, so that a browser never joins pieces of two builds."""
    seen = hashlib.sha256()
    for name in sorted(files):
        seen.update(files[name].encode())
    return seen.hexdigest()[:10]


def _blocks(entries: Sequence[Document]) -> Iterator[tuple[str, str]]:
    for number, start in enumerate(range(0, len(entries), BLOCK)):
        rows = [
            [document.kind, document.title, document.place, document.address]
            for document in entries[start : start + BLOCK]
        ]
        yield f"documents-{number}.js", script(f"documents-{number}", rows)


def _pieces(in_order: list[str], postings: dict[str, tuple[str, int]]) -> Iterator[list[str]]:
    piece: list[str] = []
    size = 0
    for word in in_order:
        longer = len(word) + len(postings[word][0])
        if piece and size + longer > PIECE:
            yield piece
            piece, size = [], 0
        piece.append(word)
        size += longer
    if piece:
        yield piece


def _postings(entries: Sequence[Document]) -> dict[str, tuple[str, int]]:
    """For each word its documents, packed, and how many they are."""
    fields = [{name: words(getattr(document, name)) for name in _BOOSTS} for document in entries]
    usual = {name: sum(len(texts[name]) for texts in fields) / max(len(fields), 1) or 1.0 for name in _BOOSTS}
    compounds = Compounds(
        line for document in entries for name in _BOOSTS for line in getattr(document, name).splitlines()
    )
    parts: dict[str, list[str]] = {}
    last: dict[str, int] = {}
    for number, (document, texts) in enumerate(zip(entries, fields, strict=True)):
        weights: dict[str, float] = {}
        for name, boost in _BOOSTS.items():
            length = 1 - _LENGTH + _LENGTH * len(texts[name]) / usual[name]
            joined = [word for line in getattr(document, name).splitlines() for word in compounds.joined(line)]
            for word, times in Counter(texts[name] + joined).items():
                said = boost * times * (_SATURATION + 1) / (times + _SATURATION * length)
                weights[word[:_LONGEST]] = weights.get(word[:_LONGEST], 0.0) + said
        whole = _KINDS.get(document.kind, 0.5) * (0.5 if "#" in document.address and document.kind != "Term" else 1.0)
        for word, weight in weights.items():
            step = number - last.get(word, 0)
            parts.setdefault(word, []).append(ALPHABET[_level(weight * whole)] + varint(step))
            last[word] = number
    return {word: ("".join(packed), len(packed)) for word, packed in parts.items()}


def _keys(entries: Sequence[Document], catalog: Catalog) -> dict[str, tuple[str, int]]:
    """Ids, addresses and exact names, each with its documents; a name that is the whole title counts for more."""
    number = {paper.id: number for number, paper in enumerate(catalog.papers)}
    held = {handle: {number[paper.id]: 1 for paper in papers} for handle, papers in by_handle(catalog).items()}
    for place, document in enumerate(entries):
        title = same_title(document.title)
        for name in {same_title(called) for called in document.called}:
            if 0 < len(name) <= _LONGEST:  # longer titles are recognized by their words
                held.setdefault(f"name:{name}", {})[place] = 2 if name == title else 1
    packed = {}
    for key, weights in held.items():
        in_order = sorted(weights)
        steps = [after - before for before, after in zip([0, *in_order], in_order, strict=False)]
        letters = (ALPHABET[weights[position]] + varint(step) for position, step in zip(in_order, steps, strict=True))
        packed[f"={key}"] = ("".join(letters), len(weights))
    return packed


def _level(weight: float) -> int:
    """A weight in halves, as one letter."""
    return min(63, max(1, round(2 * weight)))
