/* In a figure with many marks, the one nearest to the pointer or the finger says its name and numbers. */
(function () {
  "use strict";

  var REACH = 22; /* pixels */

  document.querySelectorAll(".plot").forEach(function (plot) {
    var drawings = Array.from(plot.querySelectorAll("svg"));
    var name = document.createElement("div");
    var pointed = null;
    var places = [];
    name.className = "plot__name";
    name.hidden = true;
    plot.append(name);
    plot.querySelectorAll(".figure-mark > title").forEach(function (title) {
      title.parentNode.dataset.name = title.textContent; /* else a browser would say it a second time, and late */
      title.remove();
    });

    /* The middles of the marks, in the plot's own places; measured when somebody comes to look. */
    function measure() {
      var frame = plot.getBoundingClientRect();
      places = Array.from(plot.querySelectorAll(".figure-mark[data-name]"))
        .map(function (mark) {
          var box = mark.getBoundingClientRect();
          return { mark: mark, x: box.x + box.width / 2 - frame.x, y: box.y + box.height / 2 - frame.y, drawn: box.width > 0 };
        })
        .filter(function (place) {
          return place.drawn;
        });
    }

    function leave() {
      name.hidden = true;
      if (pointed) {
        pointed.classList.remove("figure-pointed");
        pointed = null;
      }
    }

    function look(event) {
      var frame = plot.getBoundingClientRect();
      var x = event.clientX - frame.x;
      var y = event.clientY - frame.y;
      var best = null;
      var least = REACH;
      places.forEach(function (place) {
        var apart = Math.hypot(place.x - x, place.y - y);
        if (apart < least) {
          least = apart;
          best = place;
        }
      });
      if (!best || best.mark === pointed) {
        if (!best) {
          leave();
        }
        return;
      }
      leave();
      pointed = best.mark;
      pointed.classList.add("figure-pointed");
      name.textContent = pointed.dataset.name;
      name.hidden = false;
      var left = Math.min(best.x + 12, plot.clientWidth - name.offsetWidth);
      name.style.left = Math.max(0, left) + "px";
      name.style.top = best.y - name.offsetHeight - 10 + "px";
    }

    drawings.forEach(function (drawing) {
      drawing.addEventListener("pointerenter", measure);
      drawing.addEventListener("pointermove", look);
      drawing.addEventListener("pointerdown", function (event) {
        measure();
        look(event);
      });
      drawing.addEventListener("pointerleave", function (event) {
        if (event.pointerType === "mouse") {
          leave();
        }
      });
    });
  });
})();
