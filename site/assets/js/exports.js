/* The facets of all papers as arrays, and the papers that a page lists as a file: for the paper list, and for every page
   that lists the papers of a term or an author. */
window.catalogExports = (function () {
  "use strict";

  var data = window.catalogData;
  var FORMATS = {
    bibtex: { ending: "bib", type: "application/x-bibtex", between: "\n" },
    ris: { ending: "ris", type: "application/x-research-info-systems", between: "\n" },
    csv: { ending: "csv", type: "text/csv", between: "" },
    json: { ending: "json", type: "application/json", before: "[\n", between: ",\n", after: "\n]\n" },
  };
  var table = null;

  /* For each facet and paper the number of its set of values, and for each set the values. */
  function read(loaded) {
    var columns = {};
    Object.keys(loaded.columns).forEach(function (name) {
      var sets = loaded.columns[name][0].split(",").map(function (set) {
        return set ? set.split(" ") : [];
      });
      columns[name] = { sets: sets, cells: data.digits(loaded.columns[name][1], loaded.papers) };
    });
    return Object.assign({}, loaded, { columns: columns });
  }

  function load() {
    return data.load("facets").then(function (loaded) {
      table = table || read(loaded);
      return table;
    });
  }

  function save(name, type, texts) {
    var link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(texts, { type: type }));
    link.download = name;
    link.click();
    setTimeout(function () {
      URL.revokeObjectURL(link.href);
    }, 60000);
  }

  /* Saves the papers with these numbers, in this order; what has been saved, in words. */
  function exportAs(kind, numbers) {
    var format = FORMATS[kind];
    return load().then(function () {
      return data.items(kind, table.exported, numbers).then(function (entries) {
        var texts = entries.filter(Boolean);
        var name = "llm-unlearning-" + texts.length + "-papers." + format.ending;
        var body = [kind === "csv" ? table.csv : format.before || "", texts.join(format.between), format.after || ""];
        save(name, format.type, texts.length || kind !== "json" ? body : ["[]\n"]);
        var without = numbers.length - texts.length;
        return (
          texts.length +
          (texts.length === 1 ? " paper" : " papers") +
          " exported." +
          (without ? " " + without + " withdrawn or retracted, and not to be cited." : "")
        );
      });
    });
  }

  /* The numbers of the papers that have a value of a facet. */
  function having(facet, value) {
    return load().then(function () {
      var column = table.columns[facet];
      var fits = column.sets.map(function (set) {
        return set.includes(value);
      });
      return Array.from(column.cells.keys()).filter(function (paper) {
        return fits[column.cells[paper]];
      });
    });
  }

  /* Calls back with the format whose button is pressed, and says what came of it. */
  function bind(holder, note, numbers) {
    holder.querySelectorAll("[data-export]").forEach(function (button) {
      button.addEventListener("click", function () {
        note.textContent = "Preparing the file \u2026";
        numbers()
          .then(function (some) {
            return exportAs(button.dataset.export, some);
          })
          .then(
            function (said) {
              note.textContent = said;
            },
            function (error) {
              note.textContent = "The file could not be made (" + error.message + ").";
            }
          );
      });
    });
  }

  document.querySelectorAll("[data-exports]").forEach(function (holder) {
    var facet = holder.dataset.exports;
    var value = holder.dataset.value;
    bind(holder, holder.querySelector("[role=status]"), function () {
      return facet === "author" ? Promise.resolve(value.split(" ").map(Number)) : having(facet, value);
    });
    holder.hidden = false;
  });

  return { load: load, bind: bind };
})();
