/* The paper list's filters. The list itself is in the page; this hides what does not fit, counts, and keeps the
   state in the address (?q=...&family=...&year=...), so that a selection can be shared. */
(function () {
  "use strict";

  var finder = document.querySelector("[data-finder]");
  if (!finder) {
    return;
  }

  var form = finder.querySelector("form");
  var query = finder.querySelector("input[name=q]");
  var status = finder.querySelector(".finder__status");
  var none = finder.querySelector(".finder__none");
  var clear = finder.querySelector(".finder__clear");
  var flags = ["code", "runnable"];
  var facets = [];

  /* As the catalog's own search folds: no accents, no apostrophes, other punctuation separates words. */
  function fold(text) {
    return text
      .replace(/['\u2018\u2019\u02bc`\u00b4]/g, "")
      .normalize("NFKD")
      .replace(/[\u0300-\u036f]/g, "")
      .toLowerCase()
      .replace(/\u00f8/g, "o")
      .replace(/\u0142/g, "l")
      .replace(/[^\p{L}\p{N}]+/gu, " ")
      .trim();
  }

  var papers = Array.from(finder.querySelectorAll(".paper")).map(function (element) {
    return { element: element, text: " " + fold(element.textContent) };
  });

  /* Links to the static pages become check boxes: with a script, several can be combined. */
  finder.querySelectorAll("[data-facet]").forEach(function (box) {
    var name = box.dataset.facet;
    facets.push(name);
    box.querySelectorAll("a[data-value]").forEach(function (link) {
      var label = document.createElement("label");
      label.className = "check";
      var input = document.createElement("input");
      input.type = "checkbox";
      input.name = name;
      input.value = link.dataset.value;
      label.append(input, " ");
      label.append.apply(label, Array.from(link.childNodes));
      link.replaceWith(label);
    });
  });

  papers.forEach(function (paper) {
    paper.values = {};
    facets.forEach(function (name) {
      paper.values[name] = (paper.element.dataset[name] || "").split(" ");
    });
    flags.forEach(function (name) {
      paper.values[name] = name in paper.element.dataset ? ["1"] : [];
    });
  });

  var names = facets.concat(flags);
  var inputs = Array.from(form.querySelectorAll("input[type=checkbox]"));

  function selection() {
    var chosen = { words: fold(query.value).split(" ").filter(Boolean) };
    names.forEach(function (name) {
      chosen[name] = inputs
        .filter(function (input) {
          return input.name === name && input.checked;
        })
        .map(function (input) {
          return input.value;
        });
    });
    return chosen;
  }

  /* Several values of one facet widen, several facets narrow. */
  function fits(paper, chosen, except) {
    return (
      chosen.words.every(function (word) {
        return paper.text.indexOf(" " + word) >= 0;
      }) &&
      names.every(function (name) {
        var wanted = chosen[name];
        return (
          name === except ||
          !wanted.length ||
          wanted.some(function (value) {
            return paper.values[name].indexOf(value) >= 0;
          })
        );
      })
    );
  }

  function count(chosen) {
    names.forEach(function (name) {
      var open = papers.filter(function (paper) {
        return fits(paper, chosen, name);
      });
      inputs.forEach(function (input) {
        if (input.name === name) {
          var number = open.filter(function (paper) {
            return paper.values[name].indexOf(input.value) >= 0;
          }).length;
          var label = input.closest("label");
          label.querySelector(".count").textContent = number;
          label.classList.toggle("check--empty", !number && !input.checked);
        }
      });
    });
  }

  function show() {
    var chosen = selection();
    var shown = 0;
    papers.forEach(function (paper) {
      var visible = fits(paper, chosen);
      paper.element.hidden = !visible;
      shown += visible ? 1 : 0;
    });
    count(chosen);
    var filtered =
      chosen.words.length > 0 ||
      names.some(function (name) {
        return chosen[name].length > 0;
      });
    status.textContent = filtered ? shown + " of " + papers.length + " papers" : papers.length + " papers";
    none.hidden = shown > 0;
    clear.hidden = !filtered;
  }

  function write() {
    var parameters = new URLSearchParams();
    if (query.value.trim()) {
      parameters.set("q", query.value.trim());
    }
    inputs.forEach(function (input) {
      if (input.checked) {
        parameters.append(input.name, input.value);
      }
    });
    var text = parameters.toString();
    try {
      history.replaceState(null, "", text ? "?" + text : location.pathname);
    } catch (error) {
      /* A page opened from a disk may not change its address; filtering works all the same. */
    }
  }

  function read() {
    var parameters = new URLSearchParams(location.search);
    query.value = parameters.get("q") || "";
    inputs.forEach(function (input) {
      input.checked = parameters.getAll(input.name).indexOf(input.value) >= 0;
      if (input.checked && input.closest("details")) {
        input.closest("details").open = true;
      }
    });
  }

  function changed() {
    show();
    write();
  }

  form.addEventListener("submit", function (event) {
    event.preventDefault();
  });
  form.addEventListener("change", changed);
  query.addEventListener("input", changed);
  clear.addEventListener("click", function () {
    query.value = "";
    inputs.forEach(function (input) {
      input.checked = false;
    });
    changed();
    query.focus();
  });
  window.addEventListener("pageshow", function () {
    read();
    show();
  });

  read();
  show();
})();
