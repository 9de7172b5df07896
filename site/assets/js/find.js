/* Finds documents by words, ids and names, in the index that the build has cut into pieces
   (catalog/outputs/site/search_index.py), by the rules of catalog/outputs/answers/finding.py. A query loads the few pieces
   that hold its words; the list of all words, and the library that knows which of them are near to a misspelt one, only
   where a word is not known. */
window.catalogFind = (function () {
  "use strict";

  var data = window.catalogData;
  var words = window.catalogQuery.words;
  var LONGEST = 24; /* words of a query */
  var ENDINGS = 60; /* words that begin like the one typed */
  var GUESSES = 4; /* words taken for a misspelt one */
  var form = document.querySelector("[data-search]");
  var spelling = null;
  var pieces = {};

  /* The number of the piece that holds a word, if any does: the last that starts at or before it. */
  function pieceOf(starts, word) {
    var low = 0;
    var high = starts.length;
    while (low < high) {
      var middle = (low + high) >> 1;
      if (starts[middle] <= word) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - 1;
  }

  function piece(number) {
    pieces[number] =
      pieces[number] ||
      data.load("words-" + number).then(
        function (found) {
          return { words: data.sortedWords(found[0]), postings: found[1].split(" ") };
        },
        function (error) {
          delete pieces[number];
          throw error;
        }
      );
    return pieces[number];
  }

  /* Words of the index with this beginning, or just this word; [{word, postings}]. */
  function known(index, word, beginning) {
    var starts = (index.startWords = index.startWords || index.starts.split(" "));
    var first = Math.max(pieceOf(starts, word), 0);
    var last = beginning ? Math.max(pieceOf(starts, word + "\uffff"), 0) : first;
    var numbers = [];
    for (var number = first; number <= last; number += 1) {
      numbers.push(number);
    }
    return Promise.all(numbers.map(piece)).then(function (loaded) {
      var found = [];
      loaded.forEach(function (one) {
        one.words.forEach(function (other, place) {
          if (other === word || (beginning && other.startsWith(word))) {
            found.push({ word: other, postings: one.postings[place] });
          }
        });
      });
      /* What many documents hold is likelier meant; long lists are left out. */
      return found
        .sort(function (one, other) {
          return (other.word === word) - (one.word === word) || other.postings.length - one.postings.length;
        })
        .slice(0, ENDINGS);
    });
  }

  /* The library's tree, with all words of these lengths. */
  function loadSpelling(index, from, to) {
    spelling = spelling || {
      library: data.script(form.dataset.library).then(function () {
        spelling.tree = new window.MiniSearch();
      }),
      lengths: {},
    };
    function add(length) {
      spelling.lengths[length] =
        spelling.lengths[length] ||
        Promise.all([data.load("spelling-" + length), spelling.library]).then(function (loaded) {
          var often = loaded[0].split(" ");
          data.sortedWords(loaded[0], 1).forEach(function (word, place) {
            spelling.tree.set(word, data.value(often[place].charAt(1)));
          });
        });
      return spelling.lengths[length];
    }
    return Promise.all(
      index.lengths
        .filter(function (length) {
          return length >= from && length <= to;
        })
        .map(add)
    ).then(
      function () {
        return spelling.library.then(function () {
          return spelling.tree;
        });
      },
      function (error) {
        spelling = null;
        throw error;
      }
    );
  }

  /* The known words nearest to one that is not known: first those that differ by one letter, then by two. */
  function near(index, word, far) {
    var distance = far || 1;
    if (distance > (word.length < 3 ? 0 : word.length < 8 ? 1 : 2) || !/^\p{L}+$/u.test(word)) {
      return Promise.resolve([]);
    }
    return loadSpelling(index, word.length - distance, word.length + distance).then(function (tree) {
      var found = [];
      tree.fuzzyGet(word, distance).forEach(function (entry, other) {
        if (entry[1] === distance) {
          found.push({ word: other, often: entry[0], distance: distance });
        }
      });
      if (!found.length) {
        return near(index, word, distance + 1);
      }
      return found
        .sort(function (one, other) {
          return other.often - one.often || (one.word < other.word ? -1 : 1);
        })
        .slice(0, GUESSES);
    });
  }

  /* The numbers and weights of a word's documents, one after the other; null where nobody uses the word. */
  function exactly(index, word) {
    return known(index, word, false).then(function (found) {
      return found.length ? list(found[0].postings) : null;
    });
  }

  function list(postings) {
    var found = [];
    data.postings(postings, function (number, weight) {
      found.push(number, weight);
    });
    return found;
  }

  function rare(index, count) {
    return Math.log(1 + (index.documents - count + 0.5) / (count + 0.5));
  }

  /* Puts what a word says of its documents, times what it is worth beside the one that was typed, to the scores. */
  function score(index, scores, postings, worth) {
    var each = rare(index, postings.length / 2) * worth;
    for (var at = 0; at < postings.length; at += 2) {
      scores.set(postings[at], Math.max(scores.get(postings[at]) || 0, each * postings[at + 1]));
    }
  }

  /* The documents of some ids, addresses or names, each number once; `null` for those that nothing has. */
  function holders(index, keys) {
    return Promise.all(
      keys.map(function (key) {
        return exactly(index, "=" + key).then(function (found) {
          return (
            found &&
            found.filter(function (number, place) {
              return place % 2 === 0;
            })
          );
        });
      })
    );
  }

  function isNumber(word) {
    return /^\p{Nd}+$/u.test(word);
  }

  /* Neighbouring words that are known as one: [{from, to, word, postings}]. */
  function joins(index, asked, stop) {
    var found = [];
    asked.forEach(function (first, from) {
      for (var to = from + 2; to <= Math.min(from + index.rules.joined, asked.length); to += 1) {
        var parts = asked.slice(from, to);
        if (!isNumber(parts.join("")) && !parts.every(stop)) {
          found.push({ from: from, to: to, word: parts.join("") });
        }
      }
    });
    return Promise.all(
      found.map(function (one) {
        return exactly(index, one.word).then(function (postings) {
          one.postings = postings;
        });
      })
    ).then(function () {
      return found.filter(function (one) {
        return one.postings;
      });
    });
  }

  /* A number belongs to the word beside it where the two are known as one: ICLR 2025, GPT 4. */
  function bind(asked, joined) {
    var bound = [];
    joined.forEach(function (one) {
      var free = !bound.length || bound[bound.length - 1].to <= one.from;
      if (free && one.to === one.from + 2 && isNumber(asked[one.from]) !== isNumber(asked[one.from + 1])) {
        bound.push(one);
      }
    });
    return bound;
  }

  /* The two words that one consists of, as {document: what they say}; null where nobody uses them. */
  function apart(index, word) {
    var places = [];
    for (var at = 1; at < word.length; at += 1) {
      var numbers = isNumber(word.slice(0, at)) + isNumber(word.slice(at));
      if (numbers === 1 || (!numbers && at > 3 && word.length - at > 3)) {
        places.push(at);
      }
    }
    function next() {
      if (!places.length) {
        return Promise.resolve(null);
      }
      var at = places.shift();
      return exactly(index, word.slice(0, at)).then(function (first) {
        return (first ? exactly(index, word.slice(at)) : Promise.resolve(null)).then(function (second) {
          var scores = new Map();
          var both = new Map();
          if (second) {
            score(index, scores, first, 0.5);
            score(index, both, second, 0.5);
            scores.forEach(function (value, number) {
              if (both.has(number)) {
                both.set(number, both.get(number) + value);
              }
            });
            both.forEach(function (value, number) {
              if (!scores.has(number)) {
                both.delete(number);
              }
            });
          }
          return both.size ? both : next();
        });
      });
    }
    return next();
  }

  /* What a word of the query stands for: itself, words that begin so, it and its neighbours in one, else two words, else
     the words nearest to it. {scores by document, the words taken instead} */
  function meaning(index, word, beginning, joined, needed) {
    return known(index, word, beginning).then(function (found) {
      var scores = new Map();
      found.forEach(function (one) {
        var longer = one.word.length - word.length;
        var worth = longer ? (0.6 * one.word.length) / (one.word.length + 0.3 * longer) : 1;
        score(index, scores, list(one.postings), worth);
      });
      joined.forEach(function (one) {
        score(index, scores, one.postings, 1);
      });
      if (scores.size) {
        return { scores: scores, taken: [] };
      }
      return apart(index, word).then(function (both) {
        return both || !needed ? { scores: both || scores, taken: [] } : nearest(index, word);
      });
    });
  }

  function nearest(index, word) {
    return near(index, word).then(function (others) {
      return Promise.all(
        others.map(function (other) {
          return exactly(index, other.word);
        })
      ).then(function (loaded) {
        var scores = new Map();
        loaded.forEach(function (postings, place) {
          if (postings) {
            score(index, scores, postings, (0.45 * word.length) / (word.length + others[place].distance));
          }
        });
        return {
          scores: scores,
          taken: others.map(function (one) {
            return one.word;
          }),
        };
      });
    });
  }

  /* Whether words count that begin like one of the query: the last one may still be being typed. */
  function begun(asked, place) {
    return asked[place].length > (place === asked.length - 1 ? 1 : 2);
  }

  /* What is asked for ahead of its turn says in its turn that it could not be loaded. */
  function later() {}

  /* A query in units: [{said, needed, scores, taken}]. */
  function units(index, asked) {
    function stop(word) {
      return index.stop.has(word);
    }
    asked.forEach(function (word, place) {
      known(index, word, begun(asked, place)).catch(later); /* on its way while the joined words are looked for */
    });
    return joins(index, asked, stop).then(function (joined) {
      var bound = bind(asked, joined);
      var found = [];
      asked.forEach(function (word, place) {
        function holds(one) {
          return one.from <= place && place < one.to;
        }
        var whole = bound.find(holds);
        if (whole) {
          if (whole.from === place) {
            var scores = new Map();
            score(index, scores, whole.postings, 1);
            found.push({ said: asked.slice(whole.from, whole.to).join(" "), needed: true, scores: scores, taken: [] });
          }
          return;
        }
        var here = joined.filter(holds).filter(function (one) {
          return !bound.some(function (other) {
            return one.from < other.to && other.from < one.to;
          });
        });
        var needed = here.length > 0 || !stop(word);
        found.push(
          meaning(index, word, begun(asked, place), here, needed).then(function (meant) {
            return { said: word, needed: needed, scores: meant.scores, taken: meant.taken };
          })
        );
      });
      return Promise.all(found);
    });
  }

  /* Documents by how much of a query they have, then by how much they say of it. {whole: those with all of it, numbers} */
  function rank(index, meant, limit) {
    var needed = meant.filter(function (one) {
      return one.needed;
    });
    needed = needed.length ? needed : meant;
    var sum = 0;
    var total = new Map();
    meant.forEach(function (one) {
      var counts = needed.includes(one);
      var worth = rare(index, one.scores.size) * (one.taken.length ? index.rules.guessed : 1);
      sum += counts ? worth : 0;
      one.scores.forEach(function (said, number) {
        if (number < limit) {
          var before = total.get(number) || { number: number, said: 0, covered: 0, units: 0 };
          before.said += said;
          before.covered += counts ? worth : 0;
          before.units += counts ? 1 : 0;
          total.set(number, before);
        }
      });
    });
    var all = Array.from(total.values());
    var whole = all.filter(function (one) {
      return one.units === needed.length;
    });
    var least = whole.length >= index.rules.few ? Infinity : whole.length ? index.rules.most * sum : 0;
    var others = all.filter(function (one) {
      return one.units < needed.length && one.covered > least;
    });
    function sorted(some) {
      return some
        .sort(function (one, other) {
          return other.covered - one.covered || other.said - one.said || one.number - other.number;
        })
        .map(function (one) {
          return one.number;
        });
    }
    return { whole: sorted(whole), others: sorted(others) };
  }

  function loadIndex() {
    return data.load("index").then(function (index) {
      index.read = index.read || window.catalogQuery.reader(index.rules);
      index.stop = index.stop || new Set(index.rules.stop.split(" "));
      return index;
    });
  }

  /* What a query names by ids and addresses: {numbers, missing: what nothing has}. */
  function named(index, pasted) {
    var parts = pasted.named.concat(
      pasted.loose.map(function (one) {
        return [one];
      })
    );
    return Promise.all(
      parts.map(function (ones) {
        return holders(
          index,
          ones.map(function (one) {
            return one.handle;
          })
        ).then(function (found) {
          return found.find(Boolean) || null;
        });
      })
    ).then(function (found) {
      var firm = pasted.named.length;
      var some = firm ? found : found.filter(Boolean).slice(0, 1);
      var missing = {};
      pasted.named.forEach(function (ones, place) {
        if (!found[place]) {
          missing[ones[0].handle] = ones[0];
        }
      });
      return {
        numbers: Array.from(new Set([].concat.apply([], some.filter(Boolean)))),
        missing: Object.values(missing),
      };
    });
  }

  /* What a query finds, best first: {numbers, exact: those that are called or have exactly what was typed, whole: how many
     have all of it, others: how many follow that have some, missing: what it names that nothing has, add: where that is
     added, meant: the query as it was answered, corrections: [[word, [taken instead]]], marks: function that tells which words to mark}. */
  function find(text, options) {
    return loadIndex().then(function (index) {
      var limit = options && options.papers ? index.papers : index.documents;
      var pasted = index.read(text);
      var asked = words(pasted.rest).slice(0, LONGEST);
      return named(index, pasted).then(function (held) {
        var found = {
          numbers: held.numbers,
          exact: new Set(held.numbers),
          whole: held.numbers.length,
          others: 0,
          named: held.numbers.length > 0,
          missing: held.missing,
          add: index.add,
          meant: text,
          corrections: [],
          marks: function () {
            return false;
          },
        };
        if (held.numbers.length || !asked.length) {
          return found;
        }
        var name = exactly(index, "=name:" + asked.join(""));
        name.catch(later);
        return units(index, asked).then(function (meant) {
          var guessed = meant.some(function (one) {
            return one.taken.length;
          });
          /* Nothing is called by words that nobody uses. */
          return (guessed ? Promise.resolve(null) : name).then(function (called) {
            return answer(index, found, asked, meant, called || [], limit);
          });
        });
      });
    });
  }

  /* The answer for words. */
  function answer(index, found, asked, meant, called, limit) {
    var ranked = rank(index, meant, limit);
    var names = [];
    for (var at = 0; at < called.length; at += 2) {
      if (called[at] < limit) {
        names.push({ number: called[at], weight: called[at + 1], paper: called[at] < index.papers });
      }
    }
    /* What has it for a title, then what is also called so; pages before papers. */
    names.sort(function (one, other) {
      return other.weight - one.weight || one.paper - other.paper || one.number - other.number;
    });
    var exact = names.map(function (one) {
      return one.number;
    });
    found.exact = new Set(exact);
    function rest(numbers) {
      return numbers.filter(function (number) {
        return !found.exact.has(number);
      });
    }
    var whole = exact.concat(rest(ranked.whole));
    var others = exact.length && ranked.whole.length ? [] : rest(ranked.others);
    found.numbers = whole.concat(others);
    found.meant = meant
      .map(function (one) {
        return one.taken[0] || one.said;
      })
      .join(" ");
    found.whole = whole.length;
    found.others = others.length;
    found.corrections = meant
      .filter(function (one) {
        return one.taken.length;
      })
      .map(function (one) {
        return [one.said, one.taken];
      });
    var taken = new Set(
      [].concat.apply(
        meant.map(function (one) {
          return one.said;
        }),
        meant.map(function (one) {
          return one.taken;
        })
      )
    );
    found.marks = function (word) {
      return (
        taken.has(word) ||
        asked.some(function (one, place) {
          return (
            word === one ||
            (begun(asked, place) && !index.stop.has(one) && word.startsWith(one))
          );
        })
      );
    };
    return found;
  }

  /* What loads the index piece by piece: a function for each. Those that are there are not loaded again. */
  function pieceLoaders() {
    return data.load("index").then(function (index) {
      var loaders = index.starts.split(" ").map(function (start, number) {
        return function () {
          return piece(number);
        };
      });
      return loaders.concat(
        index.lengths.map(function (length) {
          return function () {
            return loadSpelling(index, length, length);
          };
        })
      );
    });
  }

  /* {kind, title, place, address} of documents. */
  function documents(numbers) {
    return data
      .load("index")
      .then(function (index) {
        return data.items("documents", index.block, numbers);
      })
      .then(function (rows) {
        return rows.map(function (row) {
          return { kind: row[0], title: row[1], place: row[2], address: row[3] };
        });
      });
  }

  /* Who types a whole title, or all before its colon, wants that page, whatever the weights say, and who types a part of one
     probably does, too; what is known to be exactly what was typed stays where it is. */
  function titleFirst(items, query, titleOf, isExact) {
    var asked = words(query);
    var phrase = " " + asked.join(" ") + " ";
    var groups = [[], [], [], []];
    items.forEach(function (item, place) {
      var titles = [titleOf(item), titleOf(item).split(": ")[0]].map(function (title) {
        return " " + words(title).join(" ") + " ";
      });
      var within = asked.length > 1 && titles[0].includes(phrase);
      var group = isExact(place) ? 0 : titles.includes(phrase) ? 1 : within ? 2 : 3;
      groups[group].push(item);
    });
    return [].concat.apply([], groups);
  }

  /* That a paper is not in the catalog, and where it is added: nodes, none where nothing is missing. */
  function missing(found, base) {
    return [].concat.apply(
      [],
      found.missing.map(function (one, place) {
        var link = document.createElement("a");
        var form = found.add && found.add + encodeURIComponent(one.reference);
        link.href = form || base + "/contributing.html#add-a-paper";
        link.textContent = "Add it";
        if (form) {
          link.rel = "external";
        }
        return [place ? " " : "", "The " + one.noun + " " + one.id + " is not in the catalog. ", link, "."];
      })
    );
  }

  /* Marks, below an element, the words that `marks` picks. */
  function highlight(element, marks) {
    var walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    var texts = [];
    while (walker.nextNode()) {
      texts.push(walker.currentNode);
    }
    texts.forEach(function (node) {
      var parts = node.data.split(/([\p{L}\p{M}\p{N}'\u2019]+)/u);
      var fragment = document.createDocumentFragment();
      var any = false;
      parts.forEach(function (part) {
        var folded = part && words(part)[0];
        if (folded && marks(folded)) {
          var mark = document.createElement("mark");
          mark.textContent = part;
          fragment.append(mark);
          any = true;
        } else {
          fragment.append(part);
        }
      });
      if (any) {
        node.replaceWith(fragment);
      }
    });
  }

  return { find: find, pieceLoaders: pieceLoaders, documents: documents, words: words, titleFirst: titleFirst, missing: missing, highlight: highlight };
})();
