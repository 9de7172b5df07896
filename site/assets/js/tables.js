/* Wide tables: which columns are shown, kept for the next visit, and an edge that fades where there is more. Without script
   all columns are there. */
(function () {
  "use strict";

  var KEPT = "columns";

  function kept() {
    try {
      return JSON.parse(localStorage.getItem(KEPT)) || {};
    } catch (error) {
      return {}; /* a browser may keep nothing */
    }
  }

  function keep(name, shown) {
    var all = kept();
    all[name] = shown;
    try {
      localStorage.setItem(KEPT, JSON.stringify(all));
    } catch (error) {
      /* As above. */
    }
  }

  /* Shows a column or puts it away, in all rows. */
  function set(table, column, shown) {
    Array.from(table.rows).forEach(function (row) {
      row.cells[column].classList.toggle("extra", !shown);
    });
  }

  function fade(region) {
    var left = region.scrollWidth - region.clientWidth - region.scrollLeft;
    region.classList.toggle("table--goes-on", left > 1);
  }

  function chooser(table, region) {
    var heads = Array.from(table.tHead.rows[0].cells).filter(function (head) {
      return head.dataset.name;
    });
    var box = document.createElement("div");
    var opener = document.createElement("button");
    var list = document.createElement("div");
    box.className = "shown-columns";
    opener.type = "button";
    opener.className = "button";
    list.className = "shown-columns__list";
    function open(wanted) {
      list.hidden = !wanted;
      opener.setAttribute("aria-expanded", String(wanted));
    }
    function count() {
      var shown = heads.filter(function (head) {
        return !head.classList.contains("extra");
      }).length;
      opener.textContent = "Columns: " + shown + " of " + heads.length;
    }
    function add(text, shown, change) {
      var label = document.createElement("label");
      var input = document.createElement("input");
      label.className = "check";
      input.type = "checkbox";
      input.checked = shown;
      input.autocomplete = "off";
      input.addEventListener("change", function () {
        change(input.checked);
        count();
        fade(region);
      });
      label.append(input, " " + text);
      list.append(label);
      return input;
    }
    var remembered = kept();
    var inputs = heads.map(function (head) {
      var name = head.dataset.name;
      if (name in remembered) {
        set(table, head.cellIndex, remembered[name]);
      }
      return add(name, !head.classList.contains("extra"), function (shown) {
        set(table, head.cellIndex, shown);
        keep(name, shown);
      });
    });
    var all = document.createElement("button");
    all.type = "button";
    all.className = "button";
    all.textContent = "All";
    all.addEventListener("click", function () {
      inputs.forEach(function (input) {
        if (!input.checked) {
          input.click();
        }
      });
    });
    list.append(all);
    box.append(opener, list);
    count();
    open(false);
    opener.addEventListener("click", function () {
      open(list.hidden);
    });
    document.addEventListener("click", function (event) {
      if (!box.contains(event.target)) {
        open(false);
      }
    });
    box.addEventListener("keydown", function (event) {
      if (event.key === "Escape" && !list.hidden) {
        open(false);
        opener.focus();
      }
    });
    return box;
  }

  document.querySelectorAll("table[data-columns]").forEach(function (table) {
    var region = table.closest(".table");
    var before = region.previousElementSibling;
    var box = chooser(table, region);
    if (before && before.classList.contains("rows-filter")) {
      before.append(box);
    } else {
      region.before(box);
    }
  });

  document.querySelectorAll(".table--board").forEach(function (region) {
    region.addEventListener(
      "scroll",
      function () {
        fade(region);
      },
      { passive: true }
    );
    new ResizeObserver(function () {
      fade(region);
    }).observe(region);
  });
})();
