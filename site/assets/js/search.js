/* The search in the header. What it needs is loaded on first use (find.js, data.js). Nothing is sent anywhere. */
(function () {
  "use strict";

  var form = document.querySelector("[data-search]");
  if (!form) {
    return;
  }

  var LIMIT = 12;
  var search = window.catalogFind;
  var field = form.querySelector(".search__field");
  var panel = form.querySelector(".search__panel");
  var status = form.querySelector(".search__status");
  var list = form.querySelector(".search__results");
  var base = form.dataset.base;
  var active = -1;
  var last = null;

  function find(query) {
    return search.find(query).then(function (found) {
      return search.documents(found.numbers.slice(0, 2 * LIMIT)).then(function (results) {
        found.query = query;
        found.results = search
          .titleFirst(
            results,
            found.meant,
            function (result) {
              return result.title;
            },
            function (place) {
              return found.exact.has(found.numbers[place]);
            }
          )
          .slice(0, LIMIT);
        return found;
      });
    });
  }

  function marked(text, marks) {
    var element = document.createElement("span");
    element.textContent = text;
    search.highlight(element, marks);
    return element;
  }

  function option(result, number, marks) {
    /* The link is the option itself: nothing that can be clicked may stand within an option. */
    var link = document.createElement("a");
    link.className = "search__result";
    link.id = "search-result-" + number;
    link.setAttribute("role", "option");
    link.setAttribute("aria-selected", "false");
    link.href = base + "/" + result.address;
    link.tabIndex = -1;
    var kind = document.createElement("span");
    kind.className = "search__kind";
    kind.textContent = result.kind;
    var title = marked(result.title, marks);
    title.className = "search__title";
    link.append(kind, title);
    if (result.place) {
      var place = marked(result.place, marks);
      place.className = "search__place";
      link.append(place);
    }
    return link;
  }

  /* What was found, in words. */
  function said(found) {
    var count = found.numbers.length;
    var parts = search.missing(found, base);
    if (!count && parts.length) {
      return parts;
    }
    var instead = found.corrections.map(function (one) {
      return one[1].slice(0, 3).join(", ") + " for \u201c" + one[0] + "\u201d";
    });
    var text = !count
      ? "Nothing found. Try fewer or other words."
      : count +
        (count === 1 ? " result" : " results") +
        (instead.length ? ", taking " + instead.join("; ") : "") +
        (found.others ? (found.whole ? ", " + found.whole + " with all of the words" : ", none with all of the words") : "");
    return parts.concat(parts.length ? [" ", text] : [text]);
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
    panel.setAttribute("aria-busy", "true");
    find(query).then(
      function (found) {
        if (query !== field.value.trim()) {
          return;
        }
        panel.removeAttribute("aria-busy");
        list.replaceChildren.apply(
          list,
          found.results.map(function (result, number) {
            return option(result, number, found.marks);
          })
        );
        last = found;
        status.replaceChildren.apply(status, said(found));
        active = -1;
        field.removeAttribute("aria-activedescendant");
        field.setAttribute("aria-expanded", "true");
        panel.hidden = false;
      },
      function () {
        panel.removeAttribute("aria-busy");
        list.replaceChildren();
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

  field.addEventListener("focus", function () {
    window.catalogData.load("index").catch(close); /* said when something is asked */
  });
  field.addEventListener("input", show);
  field.addEventListener("focus", show);
  field.addEventListener("keydown", function (event) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Enter" && active >= 0) {
      event.preventDefault();
      list.children[active].click();
    } else if (event.key === "Enter" && last && last.named && last.results.length === 1 && last.query === field.value.trim()) {
      event.preventDefault(); /* an id or an address of one paper leads to it */
      list.children[0].click();
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
      (document.querySelector("[data-finder] input[name=q]") || field).focus();
    }
  }, true);
})();
