/* Opens the first filters where there is room, and closes all of them where there is none. Loaded where the filters end, and what it opens is not seen before: the
   page may be drawn while it is still being read, and nothing should move then. */
(function () {
  "use strict";

  var wide = matchMedia("(min-width: 60em)").matches;
  document.querySelectorAll("[data-facet]").forEach(function (box, number) {
    box.open = wide && number < 2;
  });
  document.querySelector(".finder__sheet").open = wide;
  document.getElementById("filters").classList.add("finder__facets--ready");
})();
