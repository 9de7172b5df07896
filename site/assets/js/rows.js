/* Leaves the rows of a table that have all words typed, and says how many. Where a page has one such table, its address
   holds the words. Without script the table is whole. */
(function () {
  "use strict";

  var query = window.catalogQuery;

  document.querySelectorAll("form[data-rows]").forEach(function (form) {
    var field = form.elements.q;
    var status = form.querySelector("[role=status]");
    var rows = Array.from(document.getElementById(form.getAttribute("data-rows")).tBodies[0].rows);
    var texts = rows.map(function (row) {
      return query.folded(row.textContent + " " + (row.dataset.words || ""));
    });

    function show() {
      var fits = query.holding(field.value);
      var count = 0;
      rows.forEach(function (row, number) {
        row.hidden = !fits(texts[number]);
        count += row.hidden ? 0 : 1;
      });
      status.textContent = (count === rows.length ? "" : count + " of ") + rows.length + " " + (form.dataset.noun || "methods");
    }

    function remember() {
      var address = new URL(window.location.href);
      if (field.value.trim()) {
        address.searchParams.set("q", field.value.trim());
      } else {
        address.searchParams.delete("q");
      }
      window.history.replaceState(null, "", address);
    }

    if (form.hasAttribute("data-address")) {
      field.value = new URL(window.location.href).searchParams.get("q") || "";
      field.addEventListener("input", remember);
    }
    field.addEventListener("input", show);
    form.addEventListener("submit", function (event) {
      event.preventDefault();
    });
    form.hidden = false;
    show();
  });
})();
