/* What people type and paste, read by the rules of Python (catalog/outputs/site/query_rules.py): words, and the ids and
   addresses of papers. */
window.catalogQuery = (function () {
  "use strict";

  /* As the catalog folds (catalog/base/text.py): no accents, no apostrophes, other punctuation separates words. */
  var APART = { "\u00f8": "o", "\u0142": "l", "\u0111": "d", "\u00f0": "d", "\u00fe": "th", "\u00e6": "ae", "\u0153": "oe", "\u0131": "i", "\u00df": "ss", "\u03c2": "\u03c3" };
  function takenApart(text) {
    return text
      .normalize("NFKD")
      .replace(/\p{M}/gu, "")
      .replace(/['\u2018\u2019\u02bc`\u00b4]/g, "");
  }
  function words(text) {
    var small = takenApart(text.replace(/['\u2018\u2019\u02bc`\u00b4]/g, ""))
      .toLowerCase()
      .replace(/[\u00f8\u0142\u0111\u00f0\u00fe\u00e6\u0153\u0131\u00df\u03c2]/g, function (letter) {
        return APART[letter];
      });
    return takenApart(small)
      .split(/[^\p{L}\p{N}]+/u)
      .filter(Boolean);
  }

  function folded(text) {
    return words(text).join(" ");
  }

  /* A function that tells of a folded text whether it has all words typed, be it as parts of words. */
  function holding(typed) {
    var asked = words(typed);
    return function (text) {
      return asked.every(function (word) {
        return text.includes(word);
      });
    };
  }

  function whole(pattern, flags) {
    return new RegExp("^(?:" + pattern + ")$", flags);
  }

  /* A reader for the rules: read(text) gives {named, loose, rest} as catalog/model/pasted.py does. */
  function reader(rules) {
    var ids = rules.ids.map(function (rule) {
      return { key: rule[0], pattern: whole(rule[1], "i"), before: rule[2] };
    });
    var dois = rules.dois.map(function (rule) {
      return { key: rule[0], pattern: whole(rule[1], "i") };
    });
    var edges = rules.edges.map(function (pattern) {
      return new RegExp(pattern);
    });
    var encoded = new RegExp(rules.encoded, "gi");
    var entry = new RegExp("^" + rules.entry, "i");
    var entries = new RegExp("(?=" + rules.entry + ")", "i");
    var field = new RegExp(rules.field, "gi");
    var inside = rules.insideAddress.map(function (pattern) {
      return new RegExp(pattern, "gi");
    });
    var link = whole(rules.link, "i");
    var loose = rules.loose.map(function (rule) {
      return { key: rule[0], pattern: whole(rule[1], "") };
    });
    var looseAddress = whole(rules.looseAddress, "");
    var percent = new RegExp(rules.percent, "g");
    var prefixed = new RegExp(rules.prefixed, "gi");
    var several = new RegExp(rules.several);
    var spaces = new RegExp(rules.spaces);

    function comparable(key, id) {
      var folded = rules.exactCase.includes(key) ? id : id.toLowerCase();
      return rules.uncounted[key] ? folded.replace(new RegExp(rules.uncounted[key], "g"), "") : folded;
    }

    function one(key, id) {
      return {
        handle: key + ":" + comparable(key, id),
        noun: rules.nouns[key] || "address",
        id: id,
        reference: key === "openreview" ? key + ":" + id : id,
      };
    }

    function bare(text) {
      text = text.split(spaces).filter(Boolean).join(" ");
      while (text.length <= rules.longest) {
        var shorter = edges.reduce(function (left, pattern) {
          var found = pattern.exec(left);
          return found ? found[1] : left;
        }, text);
        if (shorter === text) {
          break;
        }
        text = shorter;
      }
      return text;
    }

    function identify(text) {
      for (var at = 0; at < ids.length; at += 1) {
        var found = ids[at].pattern.exec(text);
        if (found) {
          var id = ids[at].before + found.slice(1).join(".");
          return ids[at].key === "doi" ? behindDoi(id) : one(ids[at].key, id);
        }
      }
      return null;
    }

    function unescaped(address) {
      return address.replace(percent, function (all, code) {
        return String.fromCharCode(parseInt(code, 16));
      });
    }

    function behindDoi(doi) {
      doi = unescaped(doi);
      for (var at = 0; at < dois.length; at += 1) {
        var found = dois[at].pattern.exec(doi);
        if (found) {
          return one(dois[at].key, found[1]);
        }
      }
      return one("doi", doi);
    }

    /* What a text without other words names, the likeliest first. */
    function names(text) {
      text = bare(text);
      var address = text.length <= rules.longest && link.exec(text);
      return [text.length <= rules.longest && identify(text), address && one("link", address[1])].filter(Boolean);
    }

    /* A text with the addresses to which others in it lead in their place. */
    function ledOn(text) {
      return inside
        .reduce(function (left, pattern) {
          return left.replace(pattern, "$1");
        }, text)
        .replace(encoded, unescaped);
    }

    /* What entries of BibTeX name: the ids and addresses of each, and the first one's title. */
    function cited(text) {
      var named = [];
      var titles = [];
      text.split(entries).forEach(function (one) {
        var ids = [];
        one.replace(field, function (all, name, braced, quoted) {
          var value = braced || quoted || "";
          if (name.toLowerCase() === "title") {
            titles.push(value);
          } else {
            ids = ids.concat.apply(ids, read(value).named);
          }
        });
        if (ids.length) {
          named.push(ids);
        }
      });
      return { named: named, loose: [], rest: titles.length ? titles[0].replace(/[{}]/g, "").split(spaces).filter(Boolean).join(" ") : "" };
    }

    function read(text) {
      text = bare(text);
      if (entry.test(text)) {
        return cited(text);
      }
      text = ledOn(text.replace(prefixed, "$1:"));
      var all = names(text);
      if (all.length) {
        return { named: [all], loose: [], rest: "" };
      }
      var named = [];
      var rest = [];
      text
        .replace(/(\S)(https?:\/\/)/g, "$1 $2")
        .split(" ")
        .forEach(function (part) {
          (names(part).length ? [part] : part.split(several)).forEach(function (piece) {
            var found = names(piece);
            if (found.length) {
              named.push(found);
            } else if (piece) {
              rest.push(piece);
            }
          });
        });
      var word = rest.length === 1 && !named.length ? text : "";
      var maybe = loose
        .map(function (rule) {
          var found = rule.pattern.exec(word);
          return found && one(rule.key, found[1]);
        })
        .filter(Boolean);
      if (looseAddress.test(word)) {
        maybe = maybe.concat(names("https://" + word));
      }
      return { named: named, loose: maybe, rest: rest.join(" ") };
    }

    return read;
  }

  return { words: words, folded: folded, holding: holding, reader: reader };
})();
