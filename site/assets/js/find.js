/* Finds documents by words, in the index that the build has cut into pieces (catalog/outputs/site/search_index.py). A query loads
   the few pieces that hold its words; the list of all words, and the library that knows which of them are near to a
   misspelt one, only where a word is not known. */
window.catalogFind = (function () {
  "use strict";

  var data = window.catalogData;
  var ENDINGS = 60; /* words that begin like the one typed */
  var GUESSES = 4; /* words taken for a misspelt one */
  var form = document.querySelector("[data-search]");
  var spelling = null;
  var pieces = {};

  /* As the catalog folds (catalog/base/text.py): no accents, no apostrophes, other punctuation separates words. */
  var APART = { "\u00f8": "o", "\u0142": "l", "\u0111": "d", "\u00f0": "d", "\u00fe": "th", "\u00e6": "ae", "\u0153": "oe", "\u0131": "i", "\u00df": "ss" };
  function words(text) {
    return text
      .replace(/['\u2018\u2019\u02bc`\u00b4]/g, "")
      .normalize("NFKD")
      .replace(/\p{M}/gu, "")
      .toLowerCase()
      .replace(/[\u00f8\u0142\u0111\u00f0\u00fe\u00e6\u0153\u0131\u00df]/g, function (letter) {
        return APART[letter];
      })
      .normalize("NFKD")
      .replace(/\p{M}/gu, "")
      .split(/[^\p{L}\p{N}]+/u)
      .filter(Boolean);
  }

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

  /* Whether a word may be the beginning of another: not "in" or "of", unless they may still be typed on. */
  function open(asked, place) {
    return asked[place].length > (place === asked.length - 1 ? 1 : 2);
  }

  /* What a word of the query may stand for: {scores by document, the guesses taken}. */
  function meanings(index, word, beginning, guess) {
    return known(index, word, beginning).then(function (found) {
      var guesses = guess || !found.length ? near(index, word) : Promise.resolve([]);
      return guesses
        .then(function (others) {
          return Promise.all(
            others.map(function (other) {
              return known(index, other.word, false).then(function (exact) {
                return exact.map(function (one) {
                  return { word: one.word, postings: one.postings, distance: other.distance };
                });
              });
            })
          );
        })
        .then(function (others) {
          var instead = [].concat.apply([], others);
          var scores = new Map();
          found.concat(instead).forEach(function (one) {
            var count = 0;
            var list = [];
            data.postings(one.postings, function (number, weight) {
              count += 1;
              list.push(number, weight);
            });
            var rare = Math.log(1 + (index.documents - count + 0.5) / (count + 0.5));
            var longer = one.word.length - word.length;
            var worth = one.distance
              ? (0.45 * word.length) / (word.length + one.distance)
              : longer
                ? (0.6 * one.word.length) / (one.word.length + 0.3 * longer)
                : 1;
            for (var at = 0; at < list.length; at += 2) {
              var score = rare * worth * list[at + 1];
              if (score > (scores.get(list[at]) || 0)) {
                scores.set(list[at], score);
              }
            }
          });
          return {
            scores: scores,
            taken: found.length
              ? []
              : instead.map(function (one) {
                  return one.word;
                }),
            near: instead.map(function (one) {
              return one.word;
            }),
          };
        });
    });
  }

  function join(meant, limit, any) {
    var total = new Map();
    meant.forEach(function (one) {
      one.scores.forEach(function (score, number) {
        if (number < limit) {
          var before = total.get(number) || [0, 0];
          total.set(number, [before[0] + score, before[1] + 1]);
        }
      });
    });
    var found = [];
    total.forEach(function (sum, number) {
      if (any || sum[1] === meant.length) {
        found.push([number, sum[0] * sum[1]]);
      }
    });
    return found.sort(function (one, other) {
      return other[1] - one[1] || one[0] - other[0];
    });
  }

  /* The documents that hold all words, best first; where none does, also words that are near to them, then documents that
     hold some. {numbers, partial, corrections: [[word, [taken instead]]], marks: function that tells which words to mark} */
  function find(text, options) {
    var asked = Array.from(new Set(words(text))).slice(0, 24);
    return data.load("index").then(function (index) {
      var limit = options && options.papers ? index.papers : index.documents;
      function attempt(guess) {
        return Promise.all(
          asked.map(function (word, place) {
            return meanings(index, word, open(asked, place), guess);
          })
        );
      }
      function answer(meant, any) {
        var near = new Set();
        meant.forEach(function (one) {
          one.near.forEach(function (word) {
            near.add(word);
          });
        });
        return {
          numbers: join(meant, limit, any).map(function (one) {
            return one[0];
          }),
          partial: any,
          corrections: meant
            .map(function (one, place) {
              return [asked[place], one.taken];
            })
            .filter(function (one) {
              return one[1].length;
            }),
          marks: function (word) {
            return (
              near.has(word) ||
              asked.some(function (one, place) {
                return word === one || (open(asked, place) && word.startsWith(one));
              })
            );
          },
        };
      }
      if (!asked.length) {
        return { numbers: [], partial: false, corrections: [], marks: null };
      }
      return attempt(false).then(function (meant) {
        var found = answer(meant, false);
        if (found.numbers.length) {
          return found;
        }
        return attempt(true).then(function (again) {
          var nearly = answer(again, false);
          return nearly.numbers.length || asked.length < 2 ? nearly : answer(again, true);
        });
      });
    });
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

  /* Who types a whole title wants that page, whatever the weights say, and who types a part of one probably does, too. */
  function titleFirst(items, query, titleOf) {
    var asked = words(query);
    var phrase = " " + asked.join(" ") + " ";
    var groups = [[], [], []];
    items.forEach(function (item) {
      var title = " " + words(titleOf(item)).join(" ") + " ";
      groups[title === phrase ? 0 : asked.length > 1 && title.includes(phrase) ? 1 : 2].push(item);
    });
    return [].concat.apply([], groups);
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

  return { find: find, pieceLoaders: pieceLoaders, documents: documents, words: words, titleFirst: titleFirst, highlight: highlight };
})();
