/* On the page for what does not exist: pages that have the words of the address, as of a citation key with a slip. */
(function () {
  "use strict";

  var MOST = 5;
  var place = document.querySelector("[data-not-found]");
  var base = document.querySelector("[data-search]").dataset.base;
  var last = location.pathname.split("/").filter(Boolean).pop() || "";

  function words() {
    try {
      last = decodeURIComponent(last);
    } catch (error) {
      /* Then as it stands. */
    }
    return last
      .replace(/\.html?$/, "")
      .replace(/(\d)(?=\p{L})|(\p{L})(?=\d)/gu, "$& ")
      .replace(/[-_.]+/g, " ");
  }

  window.catalogFind
    .find(words())
    .then(function (found) {
      return window.catalogFind.documents(found.numbers.slice(0, MOST));
    })
    .then(function (results) {
      var items = results.map(function (result) {
        var item = document.createElement("li");
        var link = document.createElement("a");
        var kind = document.createElement("span");
        link.href = base + "/" + result.address;
        link.textContent = result.title;
        kind.className = "faint";
        kind.textContent = " " + result.kind + (result.place ? " \u00b7 " + result.place : "");
        item.append(link, kind);
        return item;
      });
      place.querySelector("ul").append(...items);
      place.hidden = !items.length;
    })
    .catch(function () {}); /* the page says what to do without it */
})();
