/* Columns of result tables sort when their heading is pressed; target and retrained stand in the head. Without script the
   tables keep the order in which they were written. */
(function () {
  "use strict";

  function valueOf(row, column) {
    var cell = row.cells[column];
    return cell.hasAttribute("data-value") ? Number(cell.getAttribute("data-value")) : cell.textContent.trim();
  }

  function compare(one, other) {
    if (typeof one === "number" && typeof other === "number") {
      return one - other;
    }
    if (typeof one !== typeof other) {
      return typeof one === "number" ? -1 : 1; /* what was not measured comes last */
    }
    return one.localeCompare(other);
  }

  function sort(table, heading, button) {
    var column = heading.cellIndex;
    var descending = heading.getAttribute("aria-sort") === "ascending";
    var rows = Array.from(table.tBodies[0].rows);
    rows.sort(function (one, other) {
      var order = compare(valueOf(one, column), valueOf(other, column));
      return descending ? -order : order;
    });
    table.tBodies[0].append(...rows);
    table.querySelectorAll("th[aria-sort]").forEach(function (other) {
      other.removeAttribute("aria-sort");
    });
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    button.focus();
  }

  document.querySelectorAll("table[data-sortable]").forEach(function (table) {
    if (table.tBodies[0].rows.length < 2) {
      return;
    }
    table.querySelectorAll("thead th[scope=col]").forEach(function (heading) {
      var button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", function () {
        sort(table, heading, button);
      });
    });
  });
})();
