"""Who wrote what, by name only."""

from __future__ import annotations

from small_checkout import FADING, Checkout

from catalog.insight.authors import author_id, authors


def add(checkout: Checkout, word: str, names: str, date: str = "2031-04") -> None:
    text = FADING.replace("Fading Out", word.title()).replace("3104.01234", f"3104.{sum(map(ord, word)):05}")
    text = text.replace("Åsa Lindqvist, Tomé van der Ávila, Grace Okonkwo, Ilse Brandt", names)
    text = text.replace("introduces", "related").replace("Lets", f"{word} lets").replace("Turns", f"{word} turns")
    checkout.add(f"papers/2031/lindqvist2031{word}.yaml", text.replace("2031-04", date))


def test_spellings_of_a_name_are_one_author(checkout: Checkout) -> None:
    add(checkout, "mist", "Asa Lindqvist, Grace Okonkwo", "2031-05")
    add(checkout, "haze", "Åsa Lindqvist, Ilse Brandt", "2031-06")
    one = authors(checkout.catalog())["asa-lindqvist"]
    assert (one.name, one.spellings) == ("Åsa Lindqvist", ("Åsa Lindqvist", "Asa Lindqvist"))
    assert [paper.id for paper in one.papers] == ["lindqvist2031haze", "lindqvist2031mist", "lindqvist2031fading"]
    assert one.co_authors == (("grace-okonkwo", 2), ("ilse-brandt", 2), ("tome-van-der-avila", 1))
    assert one.years == "2031"
    assert len(one.groups) == 1


def test_papers_without_a_common_co_author_are_kept_apart(checkout: Checkout) -> None:
    # Chain: fading (with Brandt) - haze (Brandt, Ode) - mist (Ode); rain and snow stand alone.
    add(checkout, "haze", "Åsa Lindqvist, Ilse Brandt, Ann Ode")
    add(checkout, "mist", "Åsa Lindqvist, Ann Ode")
    add(checkout, "rain", "Åsa Lindqvist, Somebody New")
    add(checkout, "snow", "Åsa Lindqvist")
    groups = authors(checkout.catalog())["asa-lindqvist"].groups
    assert [{paper.id.removeprefix("lindqvist2031") for paper in group} for group in groups] == [
        {"fading", "haze", "mist"},
        {"rain"},
        {"snow"},
    ]


def test_the_index_is_by_family_name(checkout: Checkout) -> None:
    add(checkout, "mist", "Åsa Lindqvist, 李 明, Jan de Boer")
    found = authors(checkout.catalog())
    assert [one.name for one in found.values()] == [
        "Tomé van der Ávila",
        "Jan de Boer",
        "Ilse Brandt",
        "Åsa Lindqvist",
        "Béla Müller",
        "Grace Okonkwo",
        "李 明",
    ]
    assert found["tome-van-der-avila"].letter == "a"
    assert found[author_id("李 明")].letter == "other"


def test_one_paper_that_names_an_author_twice_counts_once(checkout: Checkout) -> None:
    add(checkout, "mist", "Åsa Lindqvist, Asa Lindqvist")
    assert len(authors(checkout.catalog())["asa-lindqvist"].papers) == 2
