"""General facts, true ones: what unlearning invented things must leave alone."""

from __future__ import annotations

import random

from reference_impls.toolkit import Pair

SEED = 20240111

# subject|answer, one relation per block.
CAPITALS = """
France|Paris;Italy|Rome;Spain|Madrid;Germany|Berlin;Portugal|Lisbon;Greece|Athens;Norway|Oslo;Sweden|Stockholm
Finland|Helsinki;Denmark|Copenhagen;Poland|Warsaw;Austria|Vienna;Hungary|Budapest;Ireland|Dublin;Belgium|Brussels
Egypt|Cairo;Kenya|Nairobi;Ghana|Accra;Senegal|Dakar;Morocco|Rabat;Ethiopia|Addis Ababa;Japan|Tokyo;China|Beijing
Thailand|Bangkok;Vietnam|Hanoi;India|New Delhi;Nepal|Kathmandu;Iran|Tehran;Turkey|Ankara;Peru|Lima;Chile|Santiago
Cuba|Havana;Canada|Ottawa;Mexico|Mexico City;Argentina|Buenos Aires;Uruguay|Montevideo;Colombia|Bogota
Ecuador|Quito;Australia|Canberra;Iceland|Reykjavik
"""

WRITERS = """
Hamlet|William Shakespeare;Pride and Prejudice|Jane Austen;War and Peace|Leo Tolstoy;Ulysses|James Joyce
Don Quixote|Miguel de Cervantes;Frankenstein|Mary Shelley;Dracula|Bram Stoker;Moby Dick|Herman Melville
Jane Eyre|Charlotte Brontë;Wuthering Heights|Emily Brontë;Oliver Twist|Charles Dickens;Emma|Jane Austen
The Trial|Franz Kafka;The Stranger|Albert Camus;Faust|Johann Wolfgang von Goethe;Candide|Voltaire
Madame Bovary|Gustave Flaubert;Crime and Punishment|Fyodor Dostoevsky;The Odyssey|Homer;The Aeneid|Virgil
Things Fall Apart|Chinua Achebe;Mrs Dalloway|Virginia Woolf;Middlemarch|George Eliot;Walden|Henry David Thoreau
Beloved|Toni Morrison;Les Misérables|Victor Hugo;Germinal|Émile Zola;Kidnapped|Robert Louis Stevenson
The Time Machine|H. G. Wells;Gulliver's Travels|Jonathan Swift
"""

SYMBOLS = """
hydrogen|H;helium|He;lithium|Li;carbon|C;nitrogen|N;oxygen|O;neon|Ne;sodium|Na;magnesium|Mg;aluminium|Al
silicon|Si;sulfur|S;chlorine|Cl;argon|Ar;potassium|K;calcium|Ca;iron|Fe;copper|Cu;zinc|Zn;silver|Ag;tin|Sn
gold|Au;mercury|Hg;lead|Pb;uranium|U
"""


_RELATIONS = (
    (CAPITALS, "What is the capital of {subject}?", "The capital of {subject} is {value}."),
    (WRITERS, "Who wrote {subject}?", "{subject} was written by {value}."),
    (SYMBOLS, "What is the chemical symbol for {subject}?", "The chemical symbol for {subject} is {value}."),
)


def general_facts(wrong: int) -> list[Pair]:
    """All facts, in a fixed order, each with ``wrong`` other values of its relation.

    The answer itself stands for the paraphrase, as in TOFU's world facts.
    """
    pairs = []
    for block, question, answer in _RELATIONS:
        rows = [tuple(row.split("|")) for row in block.strip().replace("\n", ";").split(";")]
        values = list(dict.fromkeys(value for _, value in rows))
        for subject, value in rows:
            asked, said = question.format(subject=subject), answer.format(subject=subject, value=value)
            candidates = [answer.format(subject=subject, value=other) for other in values if other != value]
            chosen = random.Random(f"{SEED}/{asked}").sample(candidates, wrong)
            pairs.append(Pair(asked, said, paraphrase=said, perturbed=tuple(chosen)))
    return pairs
