/* Methods are picked for a comparison in any table that has several: a box before each name, and a bar at the foot of the
   page that leads to them side by side. On the page "Compare" itself the boxes are those of its picker. */
(function () {
  "use strict";

  var home = document.querySelector('[data-md-component="logo"]');
  var own = document.querySelector("[data-compare]");
  var picked = [];
  var boxes = [];
  var bar;

  function idOf(link) {
    var found = /(?:^|\/)methods\/([a-z0-9-]+)\.html$/.exec(link.getAttribute("href"));
    return found && found[1] !== "index" ? found[1] : null;
  }

  function address() {
    var page = new URL("compare.html", home.href.replace(/[^/]*$/, ""));
    page.search = "methods=" + picked.join(",");
    return page.href;
  }

  function names() {
    return picked.map(function (id) {
      return boxes.find(function (box) {
        return box.value === id;
      }).dataset.name;
    });
  }

  function show() {
    boxes.forEach(function (box) {
      box.checked = picked.indexOf(box.value) >= 0;
    });
    if (!bar) {
      bar = document.createElement("div");
      bar.className = "pick-bar";
      bar.setAttribute("role", "region");
      bar.setAttribute("aria-label", "Methods to compare");
      document.querySelector(".md-content").append(bar);
    }
    bar.hidden = !picked.length;
    bar.replaceChildren();
    if (picked.length) {
      var text = document.createElement("p");
      var clear = document.createElement("button");
      var go = document.createElement("a");
      text.setAttribute("role", "status");
      text.textContent = names().join(", ") + (picked.length < 2 ? ": pick another one" : "");
      clear.type = "button";
      clear.className = "button";
      clear.textContent = "Clear";
      clear.addEventListener("click", function () {
        picked = [];
        show();
      });
      go.className = "button button--main";
      go.textContent = "Compare";
      go.href = address();
      bar.append(text, clear);
      if (picked.length > 1) {
        bar.append(go);
      }
    }
  }

  function toggle(id, on) {
    picked = picked.filter(function (one) {
      return one !== id;
    });
    if (on) {
      picked.push(id);
    }
    show();
  }

  if (!home || own) {
    return;
  }
  document.querySelectorAll("table.data").forEach(function (table) {
    var links = Array.from(table.querySelectorAll('tbody th[scope="row"] a[href*="methods/"]')).filter(idOf);
    if (new Set(links.map(idOf)).size < 2) {
      return;
    }
    links.forEach(function (link) {
      var box = document.createElement("input");
      box.type = "checkbox";
      box.className = "pick";
      box.value = idOf(link);
      box.autocomplete = "off";
      box.dataset.name = link.textContent;
      box.setAttribute("aria-label", "Compare " + link.textContent);
      box.addEventListener("change", function () {
        toggle(box.value, box.checked);
      });
      link.before(box);
      boxes.push(box);
    });
  });
})();
