/* In two columns there is room to show the first filters. Runs where it stands, so that nothing moves afterwards. */
(function () {
  "use strict";
  if (window.matchMedia("(min-width: 60em)").matches) {
    Array.from(document.querySelectorAll("[data-facet]"))
      .slice(0, 2)
      .forEach(function (box) {
        box.open = true;
      });
  }
})();
