/* An address that names something in a fold opens it, and one that names a tab chooses it. Without script folds open and
   tabs change by themselves when they are pressed. */
(function () {
  "use strict";

  function open() {
    var target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) {
      return;
    }
    if (target.classList.contains("tabs__choice")) {
      target.checked = true;
    }
    for (var fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
    target.scrollIntoView();
  }

  window.addEventListener("hashchange", open);
  document.querySelectorAll('.subnav--page a[href^="#"]').forEach(function (link) {
    link.addEventListener("click", function () {
      setTimeout(open);
    });
  });
  open();
})();
