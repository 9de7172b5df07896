/* Choose a method: what fits the answers comes first, with the reasons that the page brings along. The address holds the
   answers. What fits is decided by the generator (catalog/model/choosing.py); here it is only looked up. */
(function () {
  "use strict";

  var form = document.querySelector("[data-chooser]");
  if (!form) {
    return;
  }
  var FITS = ["yes", "but", "no"];
  var MARKS = { yes: "Fits", but: "Fits with a reservation", no: "Does not fit" };
  var told = JSON.parse(form.getAttribute("data-verdicts"));
  var body = document.querySelector("[data-candidates]").tBodies[0];
  var heading = document.querySelector("[data-why]");
  var status = form.querySelector(".chooser__status");
  var command = form.querySelector(".command code");
  var questions = Array.from(form.querySelectorAll("fieldset"), function (set) {
    return set.querySelector("input").name;
  });

  function answers() {
    return questions
      .map(function (name) {
        return [name, form.elements[name].value];
      })
      .filter(function (pair) {
        return pair[1];
      });
  }

  function reasons(method, given) {
    return given
      .map(function (pair) {
        return told.methods[method][pair[0] + ":" + pair[1]];
      })
      .filter(Boolean)
      .sort(function (one, other) {
        return FITS.indexOf(other[0]) - FITS.indexOf(one[0]);
      });
  }

  function write(row, found) {
    var cell = row.querySelector(".candidates__why");
    var old = cell.querySelector("ul");
    var fit = found.length ? found[0][0] : "yes";
    if (old) {
      old.remove();
    }
    row.setAttribute("data-fit", fit);
    cell.querySelector(".candidates__needs").hidden = found.length > 0;
    if (found.length) {
      var list = document.createElement("ul");
      found.forEach(function (verdict) {
        var item = document.createElement("li");
        var mark = document.createElement("span");
        item.className = "reason reason--" + verdict[0];
        mark.className = "visually-hidden";
        mark.textContent = MARKS[verdict[0]] + ": ";
        item.append(mark, told.why[verdict[1]]);
        list.append(item);
      });
      cell.append(list);
    }
    return FITS.indexOf(fit) + found.filter(function (verdict) {
      return verdict[0] === "no";
    }).length;
  }

  function show() {
    var given = answers();
    var task = form.elements.forget ? form.elements.forget.value : "";
    var rows = Array.from(body.rows, function (row) {
      var fit = write(row, reasons(row.getAttribute("data-method"), given));
      var score = Number(row.getAttribute(task ? "data-score-" + task : "data-score"));
      row.querySelectorAll("[data-of]").forEach(function (one) {
        one.hidden = one.getAttribute("data-of") !== task;
      });
      return { row: row, fit: fit, score: score, id: row.getAttribute("data-method") };
    });
    rows.sort(function (one, other) {
      return one.fit - other.fit || other.score - one.score || (one.id < other.id ? -1 : 1);
    });
    rows.forEach(function (one) {
      body.append(one.row);
    });
    var fitting = rows.filter(function (one) {
      return one.fit < 2;
    }).length;
    status.textContent = fitting
      ? fitting + " of " + rows.length + " methods fit."
      : "No method that runs here fits all of this. The nearest are below, each with what it lacks.";
    heading.textContent = given.length ? "Why" : "Needs";
    command.textContent = ["unlearn plan"]
      .concat(
        given.map(function (pair) {
          return "--" + pair[0] + " " + pair[1];
        })
      )
      .join(" ");
    return given;
  }

  function address(given) {
    var text = new URLSearchParams(given).toString();
    return location.pathname + (text ? "?" + text : "") + location.hash;
  }

  function read() {
    var asked = new URLSearchParams(location.search);
    questions.forEach(function (name) {
      var options = Array.from(form.elements[name]);
      var named = options.find(function (option) {
        return option.value === asked.get(name);
      });
      (named || options[0]).checked = true; /* the first leaves it open */
    });
    show();
  }

  form.addEventListener("change", function () {
    history.pushState(null, "", address(show()));
  });
  form.addEventListener("reset", function (event) {
    event.preventDefault();
    history.pushState(null, "", location.pathname + location.hash);
    read();
  });
  window.addEventListener("popstate", read);
  form.hidden = false;
  read();
})();
