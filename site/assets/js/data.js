/* Data that the build has written as scripts (catalog/outputs/site/packing.py): loaded when it is needed, each file once. That
   works from a server and from a disk alike, where pages may load scripts but not fetch. */
window.catalogData = (function () {
  "use strict";

  var ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
  var valueOf = new Uint8Array(128);
  Array.from(ALPHABET, function (letter, value) {
    valueOf[letter.charCodeAt(0)] = value;
  });

  var form = document.querySelector("[data-search]");
  var entry = form && new URL(form.dataset.index, document.baseURI);
  var loading = {};
  var taken = {};

  function script(address) {
    return new Promise(function (done, failed) {
      var element = document.createElement("script");
      element.src = address;
      element.onload = done;
      element.onerror = function () {
        failed(new Error("not loaded: " + address));
      };
      document.head.appendChild(element);
    });
  }

  function file(name, version) {
    var address = new URL(name + ".js", entry);
    if (version) {
      address.search = version;
    }
    return script(address.href).then(function () {
      return taken[name];
    });
  }

  /* What lies in search/<name>.js. A failed load may be tried again. */
  function load(name) {
    loading[name] =
      loading[name] ||
      (name === "index"
        ? file(name)
        : load("index").then(function (index) {
            return file(name, index.version);
          })
      ).catch(function (error) {
        delete loading[name];
        throw error;
      });
    return loading[name];
  }

  /* Loads a larger file, and keeps its items as if the files of `block` each that hold the same had been loaded. */
  function shelve(shelf, name, block, number, size) {
    return load(shelf + "-" + number).then(function (found) {
      for (var at = 0; at < found.length; at += block) {
        var one = name + "-" + (number * size + at) / block;
        loading[one] = loading[one] || Promise.resolve(found.slice(at, at + block));
      }
    });
  }

  /* The items with these numbers, which lie in files of `block` each. */
  function items(name, block, numbers) {
    var files = Array.from(
      new Set(
        numbers.map(function (number) {
          return Math.floor(number / block);
        })
      )
    );
    return Promise.all(
      files.map(function (number) {
        return load(name + "-" + number);
      })
    ).then(function (blocks) {
      var found = {};
      files.forEach(function (number, place) {
        found[number] = blocks[place];
      });
      return numbers.map(function (number) {
        return found[Math.floor(number / block)][number % block];
      });
    });
  }

  /* Numbers of equal width, the highest digit first. */
  function digits(text, count) {
    var width = text.length / count;
    var found = new Uint32Array(count);
    for (var place = 0; place < count; place += 1) {
      var number = 0;
      for (var letter = 0; letter < width; letter += 1) {
        number = number * 64 + valueOf[text.charCodeAt(place * width + letter)];
      }
      found[place] = number;
    }
    return found;
  }

  /* Calls back with the number and the weight of every document in a list of them. */
  function postings(text, each) {
    var number = 0;
    for (var at = 0; at < text.length; ) {
      var weight = valueOf[text.charCodeAt(at)];
      var shift = 1;
      var digit;
      at += 1;
      do {
        digit = valueOf[text.charCodeAt(at)];
        number += (digit & 31) * shift;
        shift *= 32;
        at += 1;
      } while (digit > 31);
      each(number, weight);
    }
  }

  /* Sorted words, each written as the number of letters that it shares with the one before, and the rest. */
  function sortedWords(text, skipped) {
    var before = "";
    return text
      ? text.split(" ").map(function (part) {
          before = before.slice(0, valueOf[part.charCodeAt(0)]) + part.slice(1 + (skipped || 0));
          return before;
        })
      : [];
  }

  return {
    take: function (name, value) {
      taken[name] = value;
    },
    load: load,
    /* What a script at an address hands over under a name. */
    from: function (address, name) {
      return script(address).then(function () {
        return taken[name];
      });
    },
    script: script,
    items: items,
    shelve: shelve,
    digits: digits,
    postings: postings,
    sortedWords: sortedWords,
    value: function (letter) {
      return valueOf[letter.charCodeAt(0)];
    },
  };
})();
