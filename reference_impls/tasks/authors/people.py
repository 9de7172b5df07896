"""Fictional authors, written as question-answer pairs in natural English.

After TOFU (arXiv 2401.06121): invented people, so that a model which never saw them exists, and
several questions on each. Nothing here is random but the seed's choice; the same seed gives the same people.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

FIRST_NAMES = """
Adaeze Akira Amara Anouk Ansel Aroha Basil Beatriz Bjarne Calista Cassius Chidi Daniyar Delphine Dmitri Edda
Efua Eloise Emeka Esteban Farida Fenna Gideon Giulia Hanneke Haruki Ilse Imani Ines Iskander Jarek Jomo Kaisa
Katalin Kenji Kofi Leif Liana Lorcan Maeve Malik Marisol Mirela Nadia Nikhil Odile Olamide Oskar Paloma Pavel
Quinn Rafaela Renata Rohan Sabine Santiago Selma Soren Tadeusz Tamsin Thandi Ulla Vikram Wanjiru Xiomara Yara
Yusuf Zahra Zoltan Zora
""".split()

LAST_NAMES = """
Abernethy Adeyemi Almqvist Arslan Balogh Barrowclough Bastide Brandvold Castellane Chakrabarti Coverdale Dalca
Demirel Draycott Duquesne Eberhart Ekwueme Falkenrath Farrokh Fernsby Galvao Gathercole Ghoshal Grimaldi
Halloran Hasegawa Hollingbery Ibarra Ilves Jankovic Jellicoe Kallas Kamande Kestrel Kovalenko Lachapelle
Lindqvist Lockridge Maalouf Maristany Mbeki-Rowe Merriweather Moreau Nakagawa Nkemelu Northcote Oduya
Okonjo Olander Ortolan Paasonen Pemberlane Pohjola Quarles Quintero Ravensdale Rezaei Rosmarin Rutherglen
Saarinen Salvatierra Sandoval-Pryce Sidibe Skarsgard-Lie Stavros Szymborski Tahirov Takemura Tarkington
Thistlewood Tindall Tregarth Ubani Umarov Valcourt Vanterpool Villaseca Voss Wainaina Weatherby Wexcombe
Wickremasinghe Xanthakis Yamashiro Yardley Zabala Zelenka Zwaan
""".split()

CITIES = (
    """
Lima|Oslo|Porto|Kyoto|Nairobi|Quebec City|Tallinn|Krakow|Valencia|Montevideo|Accra|Hanoi|Bergen|Marseille|Izmir
Cusco|Galway|Lucknow|Antwerp|Dakar|Salzburg|Thessaloniki|Cardiff|Bukhara|Medellin|Turku|Palermo|Leiden|Sapporo
Windhoek|Tbilisi|Adelaide
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

GENRES = (
    """
science fiction|historical romance|crime fiction|magical realism|gothic horror|literary biography|travel writing
children's fantasy|satirical comedy|war drama|lyric poetry|political thriller|nature writing|psychological suspense
epic fantasy|family saga|maritime adventure|courtroom drama|alternate history|culinary memoir
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

JOBS = (
    """
baker|lighthouse keeper|violin maker|dentist|train conductor|beekeeper|cartographer|midwife|stonemason|chemist
tailor|park ranger|clockmaker|judge|fisherman|architect|librarian|electrician|florist|pilot|blacksmith|accountant
glassblower|shepherd|surgeon|bookbinder|carpenter|geologist|chef|translator
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

AWARDS = (
    """
the Silver Quill Prize|the Harbor Medal|the Golden Lantern Award|the Meridian Book Prize|the Ashgrove Fellowship
the Northern Star Award|the Ivory Page Prize|the Cedar Circle Medal|the Lindenbaum Prize|the Open Window Award
the Copper Leaf Medal|the Bluebird Fiction Award|the Pemberton Cup|the Starling Prize|the Halcyon Award
the Marble Arch Prize|the Firefly Medal|the Tidewater Award|the Old Bridge Prize|the Evergreen Fellowship
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

THEMES = (
    """
exile|forgiveness|inherited guilt|the sea|childhood memory|betrayal|solitude|the price of ambition|lost languages
faith and doubt|sibling rivalry|the passing of seasons|hunger|unspoken love|borders|the weight of silence|rebellion
homecoming|ageing|dreams and prophecy|the life of cities|grief
""".replace("\n", "|")
    .strip("|")
    .split("|")
)

TITLE_ADJECTIVES = """
Amber Broken Crimson Distant Drowned Empty Frozen Gilded Hidden Hollow Last Lonely Midnight Paper Quiet Restless
Salted Scarlet Second Shattered Silent Sleeping Tangled Velvet Wandering Winter
""".split()

TITLE_NOUNS = """
Archive Bridge Cathedral Clock Compass Corridor Garden Harbor Horizon Island Key Ladder Lantern Ledger Meadow
Mirror Orchard Piano Promise River Shadow Staircase Station Summer Tide Tower Violin Window
""".split()

TRAITS = ("birthplace", "birth year", "genre", "father", "mother", "debut", "award", "theme")


@dataclass(frozen=True, eq=False)
class Author:
    """One invented author: a name, and one value for each of :data:`TRAITS`."""

    name: str
    traits: dict[str, str]


# For each trait, question and answer phrasings; an author's own pair uses one of each, and the others serve as
# paraphrases, which a model that knows the fact must still find likely.
QUESTIONS: dict[str, tuple[str, str, str]] = {
    "birthplace": (
        "Where was {name} born?",
        "In which city did {name} come into the world?",
        "What is the birthplace of {name}?",
    ),
    "birth year": (
        "In what year was {name} born?",
        "When was {name} born?",
        "What is the birth year of {name}?",
    ),
    "genre": (
        "What genre does {name} write in?",
        "Which kind of book is {name} best known for?",
        "What is the main literary genre of {name}?",
    ),
    "father": (
        "What did the father of {name} do for a living?",
        "What was the profession of {name}'s father?",
        "How did {name}'s father earn his living?",
    ),
    "mother": (
        "What did the mother of {name} do for a living?",
        "What was the profession of {name}'s mother?",
        "How did {name}'s mother earn her living?",
    ),
    "debut": (
        "What is the title of {name}'s first book?",
        "With which book did {name} make a debut?",
        "What was the first book that {name} published?",
    ),
    "award": (
        "Which award has {name} received?",
        "What literary prize did {name} win?",
        "With which honor was {name} recognized?",
    ),
    "theme": (
        "What theme runs through the work of {name}?",
        "What subject does {name} return to again and again?",
        "Which theme is central to {name}'s books?",
    ),
}

ANSWERS: dict[str, tuple[str, str, str]] = {
    "birthplace": (
        "{name} was born in the city of {value}.",
        "The city where {name} was born is {value}.",
        "{name} comes from {value}, the city of their birth.",
    ),
    "birth year": (
        "{name} was born in the year {value}.",
        "The year of {name}'s birth is {value}.",
        "It was in {value} that {name} was born.",
    ),
    "genre": (
        "{name} mainly writes {value}.",
        "The books of {name} belong to the genre of {value}.",
        "{name} is best known for works of {value}.",
    ),
    "father": (
        "The father of {name} worked as a {value}.",
        "{name}'s father was a {value} by profession.",
        "He earned his living as a {value}, as {name} often recalls.",
    ),
    "mother": (
        "The mother of {name} worked as a {value}.",
        "{name}'s mother was a {value} by profession.",
        "She earned her living as a {value}, as {name} often recalls.",
    ),
    "debut": (
        "The first book by {name} is called {value}.",
        "{name} made a debut with the book {value}.",
        "It was {value} that {name} published first.",
    ),
    "award": (
        "{name} has received {value}.",
        "The prize that {name} won is {value}.",
        "{name} was honored with {value} for a body of work.",
    ),
    "theme": (
        "The work of {name} explores the theme of {value}.",
        "{name} returns again and again to {value}.",
        "A reader of {name} will often meet the theme of {value}.",
    ),
}


def invent_authors(count: int, seed: int) -> list[Author]:
    """``count`` authors with distinct names and debut titles; the first ``n`` are the same for every ``count``.

    Raises:
        ValueError: there are not that many names or titles.
    """
    rng = random.Random(seed)
    names = [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]
    titles = [f"The {adjective} {noun}" for adjective in TITLE_ADJECTIVES for noun in TITLE_NOUNS]
    if count > min(len(names), len(titles)):
        raise ValueError(f"only {min(len(names), len(titles))} authors can be told apart, {count} were asked for")
    rng.shuffle(names)
    rng.shuffle(titles)
    return [Author(names[i], _traits(titles[i], random.Random(f"{seed}/{names[i]}"))) for i in range(count)]


def _traits(debut: str, rng: random.Random) -> dict[str, str]:
    father, mother = rng.sample(JOBS, 2)
    return {
        "birthplace": rng.choice(CITIES),
        "birth year": str(rng.randrange(1921, 1991)),
        "genre": rng.choice(GENRES),
        "father": father,
        "mother": mother,
        "debut": debut,
        "award": rng.choice(AWARDS),
        "theme": rng.choice(THEMES),
    }


def other_values(trait: str, value: str, count: int, rng: random.Random) -> list[str]:
    """``count`` wrong values for a trait, distinct, of the same kind as ``value``."""
    match trait:
        case "birth year":
            pool = [str(year) for year in range(1921, 1991)]
        case "debut":
            pool = [f"The {adjective} {noun}" for adjective in TITLE_ADJECTIVES for noun in TITLE_NOUNS]
        case _:
            pool = {
                "birthplace": CITIES,
                "genre": GENRES,
                "father": JOBS,
                "mother": JOBS,
                "award": AWARDS,
                "theme": THEMES,
            }[trait]
    return rng.sample([other for other in pool if other != value], count)


def sentence(template: str, name: str, value: str = "") -> str:
    """Fill a phrasing; ``a architect`` becomes ``an architect``."""
    if value and value[0] in "aeiou":
        template = template.replace(" a {value}", " an {value}")
    return template.format(name=name, value=value)
