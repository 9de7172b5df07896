/* The paper list: text, facets, sorting, export. The newest papers are in the page; everything else is loaded as it is
   asked for. The state is in the address (?q=...&family=...&sort=...), so that a selection can be shared. */
(function () {
  "use strict";

  var finder = document.querySelector("[data-finder]");
  if (!finder) {
    return;
  }

  var data = window.catalogData;
  var search = window.catalogFind;
  var files = window.catalogExports;
  var form = finder.querySelector("form");
  var query = finder.querySelector("input[name=q]");
  var sort = finder.querySelector("select[name=sort]");
  var status = finder.querySelector(".finder__status");
  var note = finder.querySelector(".finder__note");
  var none = finder.querySelector(".finder__none");
  var chosenBox = finder.querySelector(".finder__chosen");
  var more = finder.querySelector(".finder__more");
  var years = finder.querySelector(".finder__years");
  var list = finder.querySelector(".papers");
  var base = document.querySelector("[data-search]").dataset.base;
  var total = Number(finder.dataset.total);
  var step = Number(finder.dataset.newest);
  var newest = Array.from(list.children);
  var names = ["code", "runs"];
  var matches = {}; /* of a facet of which papers have several values: the choice between any and all of the chosen ones */
  var labels = {};
  var table = null;
  var sorting = ""; /* as chosen; without a choice the best match or the newest comes first */
  var shown = step;
  var turn = 0;
  var typing = false;
  var left = null; /* where one was before typing, until the address tells of it */
  var result = { numbers: null };

  /* Links to the static pages become check boxes: with a script, several can be combined. */
  finder.querySelectorAll("[data-facet]").forEach(function (box) {
    var name = box.dataset.facet;
    names.push(name);
    if (box.dataset.match) {
      matches[name] = offerMatch(box, name);
    }
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
  var inputs = Array.from(form.querySelectorAll("input[type=checkbox]"));
  var all = [];
  var counts = inputs.map(function (input) {
    var count = input.closest("label").querySelector(".count");
    all.push(count.textContent);
    labels[input.name + " " + input.value] = input.closest("label").textContent.replace(count.textContent, "").trim();
    return count;
  });

  function loadTable() {
    return files.load().then(function (loaded) {
      table = loaded;
    });
  }

  /* Two radio buttons, shown while two values are chosen. */
  function offerMatch(box, name) {
    var holder = document.createElement("fieldset");
    holder.className = "facet__match";
    holder.hidden = true;
    holder.innerHTML = "<legend>Papers with</legend>";
    var radios = ["any", "all"].map(function (value) {
      var label = document.createElement("label");
      var input = document.createElement("input");
      input.type = "radio";
      input.name = "match-" + name;
      input.value = value;
      input.checked = value === box.dataset.match;
      label.append(input, " " + value + " of these");
      holder.append(label);
      return input;
    });
    box.querySelector("summary").after(holder);
    return {
      usual: box.dataset.match,
      get value() {
        return radios[1].checked ? "all" : "any";
      },
      set value(value) {
        radios[value === "all" ? 1 : 0].checked = true;
      },
      offer: function (count) {
        holder.hidden = count < 2;
      },
    };
  }

  function wantsAll(name) {
    return Boolean(matches[name]) && matches[name].value === "all";
  }

  function selection() {
    var chosen = {};
    inputs.forEach(function (input) {
      if (input.checked) {
        (chosen[input.name] = chosen[input.name] || []).push(input.value);
      }
    });
    Object.keys(matches).forEach(function (name) {
      matches[name].offer((chosen[name] || []).length);
    });
    return chosen;
  }

  /* Several facets narrow. Several values of one facet widen, and its counts leave its own choice aside; or all of them
     are wanted, and its counts say how many papers would be left. */
  function filter(chosen, found) {
    var wanted = Object.keys(chosen).map(function (name) {
      var column = table.columns[name];
      return {
        name: name,
        cells: column.cells,
        fits: column.sets.map(function (set) {
          return chosen[name][wantsAll(name) ? "every" : "some"](function (value) {
            return set.includes(value);
          });
        }),
      };
    });
    var tally = {};
    names.forEach(function (name) {
      tally[name] = new Uint32Array(table.columns[name].sets.length);
    });
    var left = [];
    for (var paper = 0; paper < total; paper += 1) {
      if (found && !found.has(paper)) {
        continue;
      }
      var misses = 0;
      var missed = "";
      for (var at = 0; at < wanted.length && misses < 2; at += 1) {
        if (!wanted[at].fits[wanted[at].cells[paper]]) {
          misses += 1;
          missed = wanted[at].name;
        }
      }
      if (!misses) {
        left.push(paper);
        for (var place = 0; place < names.length; place += 1) {
          tally[names[place]][table.columns[names[place]].cells[paper]] += 1;
        }
      } else if (misses === 1 && !wantsAll(missed)) {
        tally[missed][table.columns[missed].cells[paper]] += 1;
      }
    }
    var perValue = {};
    names.forEach(function (name) {
      table.columns[name].sets.forEach(function (set, number) {
        set.forEach(function (value) {
          var key = name + " " + value;
          perValue[key] = (perValue[key] || 0) + tally[name][number];
        });
      });
    });
    return { left: left, counts: perValue };
  }

  function order(numbers, ranked) {
    if (sort.value === "best" && ranked) {
      var kept = new Set(numbers);
      return Promise.resolve(
        ranked.filter(function (number) {
          return kept.has(number);
        })
      );
    }
    if (sort.value === "title") {
      return data.load("titles").then(function (text) {
        var kept = new Set(numbers);
        return Array.from(data.digits(text, total)).filter(function (number) {
          return kept.has(number);
        });
      });
    }
    return Promise.resolve(sort.value === "oldest" ? numbers.reverse() : numbers);
  }

  function titleFirst(items, numbers, found) {
    if (sort.value !== "best" || !found) {
      return items;
    }
    var first = search.titleFirst(
      items.slice(0, step),
      found.meant,
      function (item) {
        return item.querySelector(".paper__title").textContent;
      },
      function (place) {
        return found.exact.has(numbers[place]);
      }
    );
    return first.concat(items.slice(step));
  }

  function elements(texts, marks) {
    return texts.map(function (text) {
      var template = document.createElement("template");
      template.innerHTML = text; /* made and escaped by the build, as in the page */
      var item = template.content.firstElementChild;
      if (marks) {
        item.querySelectorAll(".paper__title, .paper__byline, .paper__summary").forEach(function (part) {
          search.highlight(part, marks);
        });
      }
      return item;
    });
  }

  function chips(chosen) {
    var buttons = [];
    Object.keys(chosen).forEach(function (name) {
      chosen[name].forEach(function (value) {
        var button = document.createElement("button");
        button.type = "button";
        button.className = "chip";
        button.dataset.name = name;
        button.dataset.value = value;
        button.append(labels[name + " " + value]);
        var sign = document.createElement("span");
        sign.setAttribute("aria-hidden", "true");
        sign.textContent = " \u00d7";
        button.append(sign);
        button.setAttribute("aria-label", "Remove filter: " + labels[name + " " + value]);
        buttons.push(button);
      });
    });
    var clear = document.createElement("button");
    clear.type = "button";
    clear.className = "finder__clear";
    clear.textContent = "Clear filters";
    chosenBox.replaceChildren.apply(chosenBox, buttons.concat(clear));
    chosenBox.hidden = !buttons.length && !query.value.trim();
  }

  function say(found, chosen) {
    var filtered = found || Object.keys(chosen).length > 0;
    status.textContent = filtered ? result.numbers.length + " of " + total + " papers" : total + " papers";
    var said = (found ? found.corrections : []).map(function (one) {
      return "No paper has \u201c" + one[0] + "\u201d: " + one[1].slice(0, 3).join(", ") + " taken instead.";
    });
    if (found && found.others) {
      said.push(
        found.whole
          ? found.whole + (found.whole === 1 ? " paper has" : " papers have") + " all of these words; the others have most of them."
          : "No paper has all of these words; these have some."
      );
    }
    var missing = found ? search.missing(found, base) : [];
    note.replaceChildren.apply(note, missing.concat(missing.length ? " " : "", said.join(" ")));
    none.hidden = result.numbers.length > 0 || missing.length > 0;
    years.hidden = filtered || sort.value !== "newest";
  }

  function extend(items) {
    more.hidden = result.numbers.length <= shown;
    more.textContent = "Show " + Math.min(step, result.numbers.length - shown) + " more of " + result.numbers.length;
    list.replaceChildren.apply(list, items);
    finder.removeAttribute("aria-busy");
  }

  /* Once something has been found, whoever looks on finds everything in memory: the rest is loaded while nothing else is
     to do, two files at a time, unless the connection is slow or its owner saves data. */
  function loadAhead() {
    var connection = navigator.connection;
    var kind = (connection && connection.effectiveType) || "4g";
    if (finder.dataset.ahead || (connection && connection.saveData) || kind !== "4g") {
      return;
    }
    finder.dataset.ahead = "loading";
    var idle =
      window.requestIdleCallback ||
      function (call) {
        setTimeout(call, 50);
      };
    search.pieceLoaders().then(function (loaders) {
      for (var number = 0; number * table.shelf < total; number += 1) {
        loaders.push(data.shelve.bind(null, "shelf", "papers", table.block, number, table.shelf));
      }
      var lanes = 2;
      function next() {
        if (finder.hasAttribute("aria-busy")) {
          setTimeout(next, 100); /* a query comes first */
        } else if (loaders.length) {
          loaders.shift()().then(later, give);
        } else {
          lanes -= 1;
          if (!lanes) {
            finder.dataset.ahead = "loaded";
          }
        }
      }
      function later() {
        idle(next);
      }
      function give() {
        loaders = []; /* what is missing is said to be missing where it is asked for */
        finder.dataset.ahead = "stopped";
      }
      later();
      later();
    }, function () {});
  }

  function show() {
    var mine = (turn += 1);
    var chosen = selection();
    var text = query.value.trim();
    var asked = search.words(text).length > 0;
    sort.querySelector("[value=best]").disabled = !asked;
    sort.value = sorting && (asked || sorting !== "best") ? sorting : asked ? "best" : "newest";
    chips(chosen);
    finder.setAttribute("aria-busy", "true");
    var finding = asked ? search.find(text, { papers: true }) : Promise.resolve(null);
    return Promise.all([loadTable(), finding])
      .then(function (loaded) {
        var found = loaded[1];
        var kept = filter(chosen, found && new Set(found.numbers));
        return order(kept.left, found && found.numbers).then(function (numbers) {
          var first = numbers.slice(0, shown);
          var isNewest = !found && first.length === step && first[step - 1] === step - 1;
          var items = isNewest ? Promise.resolve(null) : data.items("papers", table.block, first);
          return items.then(function (texts) {
            if (mine !== turn) {
              return;
            }
            result = { numbers: numbers, marks: found && found.marks };
            inputs.forEach(function (input, place) {
              var number = kept.counts[input.name + " " + input.value] || 0;
              counts[place].textContent = number;
              input.closest("label").classList.toggle("check--empty", !number && !input.checked);
            });
            say(found, chosen);
            extend(texts ? titleFirst(elements(texts, result.marks), numbers, found) : newest);
            if (found) {
              (window.requestIdleCallback || setTimeout)(loadAhead);
            }
          });
        });
      })
      .catch(function (error) {
        if (mine === turn) {
          finder.removeAttribute("aria-busy");
          note.textContent = "The list could not be loaded (" + error.message + "). The pages by year hold all papers.";
          years.hidden = false;
        }
      });
  }

  /* Where one was, for whoever comes back: rows are drawn after the browser would go there by itself. */
  function keepPlace(place) {
    try {
      history.replaceState(Object.assign({}, history.state, { y: place }), "");
    } catch (error) {
      /* As below. */
    }
  }

  function keepHere() {
    keepPlace(window.scrollY);
  }

  function findPlace() {
    if (history.state && history.state.y !== undefined) {
      window.scrollTo(0, history.state.y);
    }
  }

  /* The state as an address: a new entry of the history for each choice, one for all that is typed at a time. */
  function write(anew, place) {
    var parameters = new URLSearchParams();
    if (query.value.trim()) {
      parameters.set("q", query.value.trim());
    }
    inputs.forEach(function (input) {
      if (input.checked) {
        parameters.append(input.name, input.value);
      }
    });
    Object.keys(matches).forEach(function (name) {
      if (matches[name].value !== matches[name].usual) {
        parameters.append(matches[name].value, name);
      }
    });
    if (sorting) {
      parameters.set("sort", sorting);
    }
    if (shown > step) {
      parameters.set("show", String(shown));
    }
    var text = parameters.toString();
    var address = text ? "?" + text : location.pathname;
    try {
      if (anew && address !== (location.search || location.pathname)) {
        keepPlace(place);
        history.pushState({ y: window.scrollY }, "", address);
      } else {
        history.replaceState(history.state, "", address);
      }
    } catch (error) {
      /* A page opened from a disk may not change its address; filtering works all the same. */
    }
  }

  function read() {
    var parameters = new URLSearchParams(location.search);
    query.value = (parameters.get("q") || "").replace(/[\r\n]+/g, " "); /* of which a field of one line makes nothing */
    sorting = sort.querySelector('[value="' + CSS.escape(parameters.get("sort") || "-") + '"]') ? parameters.get("sort") : "";
    shown = Math.max(step, Math.min(Math.floor(Number(parameters.get("show"))) || 0, total));
    Object.keys(matches).forEach(function (name) {
      var other = matches[name].usual === "all" ? "any" : "all";
      matches[name].value = parameters.getAll(other).includes(name) ? other : matches[name].usual;
    });
    inputs.forEach(function (input) {
      input.checked = parameters.getAll(input.name).includes(input.value);
      if (input.checked && input.closest("details") && matchMedia("(min-width: 60em)").matches) {
        input.closest("details").open = true; /* elsewhere it would push the list down */
      }
    });
    return parameters.toString() !== "";
  }

  function changed() {
    shown = step;
    typing = false;
    write(true, window.scrollY);
    return show();
  }

  function typed() {
    shown = step;
    if (!typing) {
      left = { place: window.scrollY };
    }
    typing = true;
    return show().then(function () {
      /* Last, as a browser takes its time over an address. The first answer that is there makes the new entry, whichever
         letter it is for. */
      write(Boolean(left), left && left.place);
      left = null;
    });
  }

  function restore() {
    typing = false;
    if (read()) {
      return show();
    }
    turn += 1; /* what is still being looked for is not wanted any more */
    result = { numbers: null };
    counts.forEach(function (count, place) {
      count.textContent = all[place];
      inputs[place].closest("label").classList.remove("check--empty");
    });
    sort.querySelector("[value=best]").disabled = true;
    sort.value = "newest";
    chips(selection());
    status.textContent = total + " papers";
    note.replaceChildren();
    none.hidden = true;
    years.hidden = false;
    list.replaceChildren.apply(list, newest);
    more.hidden = total <= step;
    more.textContent = "Show " + Math.min(step, total - step) + " more of " + total;
    finder.removeAttribute("aria-busy");
    return Promise.resolve();
  }

  form.addEventListener("submit", function (event) {
    event.preventDefault();
  });
  form.addEventListener("change", changed);
  sort.addEventListener("change", function () {
    sorting = sort.value;
    changed();
  });
  query.addEventListener("input", typed);
  query.addEventListener("blur", function () {
    typing = false;
  });
  /* What says where all else lies, and what the papers are counted by, is what every answer waits for. Who saves data
     loads the latter when about to ask. */
  data.load("index").catch(function () {}); /* said when something is asked */
  function ahead() {
    loadTable().catch(function () {});
  }
  if (!(navigator.connection && navigator.connection.saveData)) {
    ahead();
  }
  ["pointerenter", "focusin"].forEach(function (kind) {
    finder.addEventListener(kind, ahead, { once: true });
  });
  chosenBox.addEventListener("click", function (event) {
    var chip = event.target.closest(".chip");
    var clear = event.target.closest(".finder__clear");
    if (clear) {
      query.value = "";
      sorting = "";
    }
    if (chip || clear) {
      inputs.forEach(function (input) {
        if (clear || (input.name === chip.dataset.name && input.value === chip.dataset.value)) {
          input.checked = false;
        }
      });
      query.focus();
      changed();
    }
  });
  files.bind(finder, note, function () {
    return (result.numbers ? Promise.resolve() : show()).then(function () {
      return result.numbers;
    });
  });
  more.addEventListener("click", function () {
    var before = list.children.length;
    shown += step;
    write();
    show().then(function () {
      var next = list.children[before];
      if (next) {
        next.querySelector("a").focus({ preventScroll: true });
      }
    });
  });

  /* Arrow keys lead from the field through the results and back. */
  finder.addEventListener("keydown", function (event) {
    var step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    var onTitle = event.target.closest(".paper__title");
    if (!step || event.ctrlKey || event.metaKey || event.altKey || !(onTitle || event.target === query)) {
      return;
    }
    var links = Array.from(list.querySelectorAll(".paper__title a"));
    var next = onTitle ? links.indexOf(event.target) + step : step - 1;
    var target = next < 0 ? query : links[next] || (more.hidden ? null : more);
    if (target && !(event.target === query && step < 0)) {
      event.preventDefault();
      target.focus();
    }
  });

  window.addEventListener("pageshow", function (event) {
    /* After going back a browser may have filled the fields in by itself. */
    if (event.persisted) {
      return;
    }
    restore().then(findPlace);
  });
  window.addEventListener("popstate", function () {
    restore().then(findPlace);
  });
  if ("scrollRestoration" in history) {
    history.scrollRestoration = "manual";
  }
  var settled = 0;
  window.addEventListener(
    "scroll",
    function () {
      clearTimeout(settled);
      settled = setTimeout(keepHere, 150);
    },
    { passive: true }
  );
  document.addEventListener("click", keepHere, true);
})();
