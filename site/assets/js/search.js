/* The search in the header. Library and documents are loaded on first use, as scripts: that also works for pages
   opened from a disk. Nothing is sent anywhere. */
(function () {
  "use strict";

  var form = document.querySelector("[data-search]");
  if (!form) {
    return;
  }

  var LIMIT = 12;
  var weights = { Paper: 2, Method: 2, Task: 2 };
  var field = form.querySelector(".search__field");
  var panel = form.querySelector(".search__panel");
  var status = form.querySelector(".search__status");
  var list = form.querySelector(".search__results");
  var base = form.dataset.base;
  var index = null;
  var loading = null;
  var active = -1;

  /* As the catalog's own search folds: no accents, no apostrophes, other punctuation separates words. */
  function words(text) {
    return text
      .replace(/['\u2018\u2019\u02bc`\u00b4]/g, "")
      .normalize("NFKD")
      .replace(/[\u0300-\u036f]/g, "")
      .toLowerCase()
      .replace(/\u00f8/g, "o")
      .replace(/\u0142/g, "l")
      .split(/[^\p{L}\p{N}]+/u)
      .filter(Boolean);
  }

  function script(address) {
    return new Promise(function (done, failed) {
      var element = document.createElement("script");
      element.src = address;
      element.onload = done;
      element.onerror = failed;
      document.head.appendChild(element);
    });
  }

  function load() {
    loading =
      loading ||
      Promise.all([script(form.dataset.library), script(form.dataset.documents)]).then(function () {
        index = new window.MiniSearch({
          idField: "address",
          fields: ["title", "names", "text"],
          storeFields: ["title", "kind", "place", "address"],
          tokenize: words,
          processTerm: function (term) {
            return term;
          },
          searchOptions: {
            boost: { title: 4, names: 4 },
            boostDocument: function (id, term, stored) {
              return id.indexOf("#") >= 0 || stored.kind === "Guide" ? 0.5 : weights[stored.kind] || 1;
            },
            prefix: function (term, at, all) {
              return at === all.length - 1;
            },
            fuzzy: function (term) {
              return term.length > 4 ? 0.2 : false;
            },
          },
        });
        index.addAll(window.searchDocuments);
      });
    return loading;
  }

  function find(text) {
    var all = index.search(text, { combineWith: "AND" });
    if (!all.length) {
      return index.search(text, { combineWith: "OR" });
    }
    /* Who types a whole title wants that page, whatever the weights say. */
    var whole = words(text).join(" ");
    function isIt(result) {
      return words(result.title).join(" ") === whole;
    }
    return all.filter(isIt).concat(
      all.filter(function (result) {
        return !isIt(result);
      })
    );
  }

  /* The words of `text` that were searched for, marked. */
  function marked(text, query) {
    var wanted = words(query);
    var fragment = document.createDocumentFragment();
    text.split(/([\p{L}\p{N}'\u2019]+)/u).forEach(function (part) {
      var folded = words(part)[0];
      var hit =
        folded &&
        wanted.some(function (word) {
          return folded === word || (word.length > 1 && folded.indexOf(word) === 0);
        });
      if (hit) {
        var mark = document.createElement("mark");
        mark.textContent = part;
        fragment.append(mark);
      } else {
        fragment.append(part);
      }
    });
    return fragment;
  }

  function option(result, number, query) {
    var item = document.createElement("li");
    item.className = "search__result";
    item.id = "search-result-" + number;
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", "false");
    var link = document.createElement("a");
    link.href = base + "/" + result.address;
    link.tabIndex = -1;
    var kind = document.createElement("span");
    kind.className = "search__kind";
    kind.textContent = result.kind;
    var title = document.createElement("span");
    title.className = "search__title";
    title.append(marked(result.title, query));
    link.append(kind, title);
    if (result.place) {
      var place = document.createElement("span");
      place.className = "search__place";
      place.append(marked(result.place, query));
      link.append(place);
    }
    item.append(link);
    return item;
  }

  function close() {
    panel.hidden = true;
    field.setAttribute("aria-expanded", "false");
    field.removeAttribute("aria-activedescendant");
    active = -1;
  }

  function show() {
    var query = field.value.trim();
    if (!query) {
      close();
      return;
    }
    load().then(
      function () {
        if (query !== field.value.trim()) {
          return;
        }
        var found = find(query);
        list.replaceChildren.apply(
          list,
          found.slice(0, LIMIT).map(function (result, number) {
            return option(result, number, query);
          })
        );
        status.textContent = found.length
          ? found.length + (found.length === 1 ? " result" : " results")
          : "Nothing found. Try fewer or other words.";
        active = -1;
        field.removeAttribute("aria-activedescendant");
        field.setAttribute("aria-expanded", "true");
        panel.hidden = false;
      },
      function () {
        status.textContent = "The search could not be loaded.";
        panel.hidden = false;
      }
    );
  }

  function move(step) {
    var items = list.children;
    if (panel.hidden || !items.length) {
      return;
    }
    if (active >= 0) {
      items[active].setAttribute("aria-selected", "false");
    }
    active = (active + step + items.length) % items.length;
    items[active].setAttribute("aria-selected", "true");
    items[active].scrollIntoView({ block: "nearest" });
    field.setAttribute("aria-activedescendant", items[active].id);
  }

  field.addEventListener("focus", load);
  field.addEventListener("input", show);
  field.addEventListener("focus", show);
  field.addEventListener("keydown", function (event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      list.children[active].querySelector("a").click();
    } else if (event.key === "Escape" && !panel.hidden) {
      event.preventDefault();
      close();
    }
    event.stopPropagation(); /* the theme has keys of its own */
  });
  form.addEventListener("focusout", function (event) {
    if (!form.contains(event.relatedTarget)) {
      close();
    }
  });
  list.addEventListener("mousedown", function (event) {
    event.preventDefault(); /* keeps the focus, so that the click arrives */
  });
  document.addEventListener("keydown", function (event) {
    var typing = event.target.closest && event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      event.stopPropagation();
      field.focus();
    }
  }, true);
})();
