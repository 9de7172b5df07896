"""What people type and paste, and what it should lead to: for ``catalog search`` and for the site alike.

The papers are real records. Both searches are held to this table (tests/catalog/test_queries.py,
tests/site/test_queries_in_browser.py), so that their rules cannot come to differ.
"""

from __future__ import annotations

from dataclasses import dataclass

NPO, WHP, KGA, DPO = "zhang2024negative", "eldan2023who", "wang2023kga", "rafailov2023direct"


@dataclass(frozen=True)
class Query:
    """A query, and what it has to find."""

    text: str
    papers: tuple[str, ...] = ()
    """These and no others, in this order; all of them."""
    first: str = ""
    """The first paper."""
    page: str = ""
    """The first of everything on the site, below its address."""
    among: tuple[str, ...] = ()
    """Papers among the first ten."""
    edition: tuple[str, int] | None = None
    """The venue and year where all that is found appeared; papers alone."""
    missing: str = ""
    """The noun and the id that are said to be not in the catalog."""


def _forms(paper: str, *texts: str) -> list[Query]:
    return [Query(text, papers=(paper,)) for text in texts]


IDS = [
    *_forms(
        NPO,
        "2404.05868",
        "2404.05868v3",
        "arXiv:2404.05868v2",
        "arxiv: 2404.05868",
        "arXiv 2404.05868",
        "arXiv:2404.05868v2 [cs.LG]",
        "  2404.05868\t",
        "2404.05868\x1c",
        "\ufeff2404.05868\u00a0",
        "https://arxiv.org/abs/2404.05868\u0085",
        "<2404.05868>",
        "“2404.05868”,",
        "'2404.05868'.",
        "(arXiv:2404.05868)",
        "[2404.05868]",
        "2404.05868v1.pdf",
        "https://arxiv.org/abs/2404.05868",
        "http://www.arxiv.org/abs/2404.05868v2/",
        "arxiv.org/abs/2404.05868",
        "https://arxiv.org/pdf/2404.05868v2.pdf",
        "https://arxiv.org/pdf/2404.05868v2#page=3",
        "https://arxiv.org/html/2404.05868v2#S3.SS1",
        "https://arxiv.org/abs/2404.05868?context=cs.LG",
        "https://export.arxiv.org/abs/2404.05868",
        "https://ar5iv.labs.arxiv.org/html/2404.05868",
        "https://ar5iv.org/abs/2404.05868",
        "https://www.alphaxiv.org/abs/2404.05868v2",
        "https://www.alphaxiv.org/overview/2404.05868",
        "https://huggingface.co/papers/2404.05868",
        "https://www.semanticscholar.org/arxiv/2404.05868",
        "https://api.semanticscholar.org/arXiv:2404.05868",
        "10.48550/arXiv.2404.05868",
        "doi:10.48550/ARXIV.2404.05868.",
        "DOI: 10.48550/arXiv.2404.05868",
        "https://doi.org/10.48550/arXiv.2404.05868",
        "https://dx.doi.org/10.48550%2FarXiv.2404.05868v2",
        "MXLBXjQkmb",
        "openreview:MXLBXjQkmb",
        "https://openreview.net/forum?id=MXLBXjQkmb",
        "https://openreview.net/pdf?id=MXLBXjQkmb",
        "https://openreview.net/forum?id=MXLBXjQkmb&noteId=abc#discussion",
        "<https://openreview.net/forum?referrer=%5Bx%5D&id=MXLBXjQkmb>.",
        "zhang2024negative",
        "https://github.com/licong-lin/negative-preference-optimization",
        "http://github.com/licong-lin/negative-preference-optimization.git",
        "github.com/licong-lin/negative-preference-optimization/tree/main?tab=readme-ov-file",
        "[2404.05868] Negative Preference Optimization: From Catastrophic Collapse to Effective Unlearning",
        "Ruiqi Zhang, Licong Lin, Yu Bai, and Song Mei. Negative preference optimization. arXiv:2404.05868, 2024.",
        "[NPO](https://arxiv.org/abs/2404.05868)",
        "https://www.catalyzex.com/paper/arxiv:2404.05868",
        "https://arxiv-sanity-lite.com/?rank=pid&pid=2404.05868",
        "https://browse.arxiv.org/pdf/2404.05868v2.pdf",
        "https://dblp.org/rec/journals/corr/abs-2404-05868.html",
        "journals/corr/abs-2404-05868",
        "https://ui.adsabs.harvard.edu/abs/2024arXiv240405868Z/abstract",
        "https://web.archive.org/web/20240501000000/https://arxiv.org/abs/2404.05868",
        "https://www.google.com/url?q=https://arxiv.org/abs/2404.05868&sa=D&usg=x",
        "https://nam01.safelinks.protection.outlook.com/?url=https%3A%2F%2Fopenreview.net%2Fforum%3Fid%3DMXLBXjQkmb&data=x",
        "@misc{x, title={Negative {P}reference Optimization}, eprint={2404.05868}, archivePrefix={arXiv}}",
        '@article{x,\n title = "No such title",\n journal = "arXiv preprint arXiv:2404.05868",\n year = 2024\n}',
        "@inproceedings{x, title={Anything}, url={https://openreview.net/forum?id=MXLBXjQkmb}, doi={10.1/none}}",
    ),
    *_forms(
        KGA,
        "2023.acl-long.740",
        "acl:2023.acl-long.740",
        "2023.ACL-LONG.740",
        "https://aclanthology.org/2023.acl-long.740/",
        "http://aclanthology.org/2023.acl-long.740",
        "https://aclanthology.org/2023.acl-long.740.pdf",
        "https://www.aclweb.org/anthology/2023.acl-long.740/",
        "https://aclanthology.org/2023.acl-long.740/?utm=x#abstract",
        "10.18653/v1/2023.acl-long.740",
        "https://doi.org/10.18653/v1/2023.acl-long.740",
    ),
    Query("2404.05868, 2310.02238", papers=(NPO, WHP)),
    Query("https://arxiv.org/abs/2310.02238\nhttps://arxiv.org/abs/2404.05868", papers=(WHP, NPO)),
    Query("2404.99999v2", missing="arXiv id 2404.99999"),
    Query("https://arxiv.org/pdf/2404.99999v1.pdf", missing="arXiv id 2404.99999"),
    Query("10.1234/nobody.has.this", missing="DOI 10.1234/nobody.has.this"),
    Query("https://aclanthology.org/2023.acl-long.9999/", missing="ACL Anthology id 2023.acl-long.9999"),
    Query("https://openreview.net/forum?id=NobodyHas1", missing="OpenReview id NobodyHas1"),
    Query("https://blog.example.org/how-to-forget", missing="address blog.example.org/how-to-forget"),
    Query("2404.05868 2404.99999", papers=(NPO,), missing="arXiv id 2404.99999"),
    Query("@misc{x, title={A}, eprint={2404.05868}} @misc{y, title={B}, eprint={2310.02238}}", papers=(NPO, WHP)),
    Query("arXiv:2404.99999 fictitious unlearning", first="maini2024tofu", missing="arXiv id 2404.99999"),
]
"""Ids and addresses: what they name, and nothing else."""

FOLDED = {
    "हिन्दी": ["हनद"],
    "ลืม": ["ลม"],
    "ΣΟΦΟΣ": ["σοφοσ"],
    "Σοφός": ["σοφοσ"],
    "ᾼ ᾳ": ["α", "α"],
    "Ꭰ ꭰ": ["ꭰ", "ꭰ"],
    "ŉ ǰ": ["n", "j"],
    "İstanbul ıstanbul": ["istanbul", "istanbul"],
    "GROẞE Straße": ["grosse", "strasse"],
    "ﬁne ﬅ": ["fine", "st"],
    "Who’s ʼn ´a": ["whos", "n", "a"],
    "GPT‑4 x²": ["gpt", "4", "x2"],
    "a\u200bb": ["a", "b"],
    "می\u200cخواهم": ["می", "خواهم"],
    "मशीन भूलना": ["मशन", "भलन"],
    "机器遗忘": ["机器遗忘"],
    "ÆSIR Þór Łódź Đà": ["aesir", "thor", "lodz", "da"],
    "٣ ३ Ⅷ": ["٣", "३", "viii"],
}
"""Texts, and the words that both programs make of them."""

WORDS = [
    *(Query(text, first="fan2024simplicity", page="methods/sim-npo.html") for text in ("SimNPO", "sim npo", "sim-npo")),
    *(Query(text, among=("chen2023fast", "kurt2026operationalising")) for text in ("GPT-2", "gpt2", "GPT 2", "gpt‑2")),
    *(
        Query(text, page="family/in-context.html", among=("muresanu2024unlearnable", "pawelczyk2023context"))
        for text in ("in-context unlearning", "incontext unlearning", "in context unlearning")
    ),
    *(
        Query(text, page="setting/retain-free.html", among=("liu2026practical", "zhao2026win"))
        for text in ("retain-free", "retainfree", "Retain Free")
    ),
    *(
        Query(text, page="setting/black-box.html", among=("xie2026cbd", "zhang2026forgetting"))
        for text in ("black-box", "blackbox", "black box")
    ),
    *(Query(text, among=(WHP, "liu2024revisiting")) for text in ("harry potter", "harrypotter", "harry-potter")),
    *(
        Query(text, page="venue/iclr.html#papers-2025", edition=("iclr", 2025))
        for text in ("ICLR 2025", "iclr2025", "ICLR'25", "ICLR-2025", "2025 ICLR")
    ),
    Query("NIPS 2024", page="venue/neurips.html#papers-2024", edition=("neurips", 2024)),
    Query("findings of acl 2025", edition=("acl", 2025)),
    Query("neurips", page="venue/neurips.html"),
    Query("2025", page="year/2025.html"),
    Query("NeurIPS WMDP", among=("dorna2025openunlearning",)),
    Query("federated", page="setting/federated.html", among=("zhong2025hierarchical",)),
    Query("multimodal", page="modality/vision-language.html"),
    Query("hazardous knowledge", page="target/hazardous-knowledge.html"),
    Query("TOFU", first="maini2024tofu", page="dataset/tofu.html"),
    Query("WMDP", first="li2024wmdp", page="dataset/wmdp.html"),
    Query("NPO", first=NPO, page="methods/npo.html"),
    Query("relearning attack", page="attacks/relearning.html"),
    Query("membership inference", page="attacks/membership.html"),
    Query("Gunnemann", page="author/stephan-gunnemann.html"),
    Query("Liu Sijia", page="author/sijia-liu.html"),
    Query("who’s harry potter", first=WHP),
    Query("catastrophic failure of LLM unlearning", among=("zhang2024your",)),
    Query("quantization restores knowledge", among=("zhang2024your",)),
    Query("relearning attack on RMU", among=("fan2025llmb",)),
    Query("how do I unlearn on TOFU", among=("maini2024tofu",)),
    Query("direct preference optimization", first=DPO),
    Query(
        "@article{x, title={Direct Preference Optimization: Your Language Model is Secretly a Reward Model}}", first=DPO
    ),
    Query("Eldan et al. (2023)", first=WHP),
    Query("papers by Eldan and Russinovich", first=WHP),
]
"""Words, with and without dashes; venues, years and terms; names of pages."""
