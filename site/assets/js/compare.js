/* Compare: the picked methods side by side, from one file each (catalog/outputs/site/comparison.py). The address holds what
   is picked. How far a value is off its ideal, and how surely, comes with it; here the intervals are only held together. */
(function () {
  "use strict";

  var form = document.querySelector("[data-compare]");
  if (!form) {
    return;
  }
  var SVG = "http://www.w3.org/2000/svg";
  var outline = JSON.parse(form.dataset.compare);
  var files = new URL(form.dataset.files, document.baseURI);
  var place = document.querySelector("[data-comparison]");
  var status = form.querySelector(".picker__status");
  var picked = form.querySelector(".picker__picked");
  var find = form.elements.find;
  var boxes = form.querySelectorAll(".picker__one input");
  var query = window.catalogQuery;
  var loading = {};
  var turn = 0;

  function known(id) {
    return form.querySelector('input[value="' + CSS.escape(id) + '"]');
  }

  function load(id) {
    var name = "compare/" + id;
    loading[id] =
      loading[id] ||
      catalogData.from(new URL(id + ".js?" + outline.version, files).href, name).catch(function (error) {
        delete loading[id];
        throw error;
      });
    return loading[id];
  }

  /* A small element: text is text, never markup. */
  function make(tag, attributes, children) {
    var one = document.createElement(tag);
    Object.keys(attributes || {}).forEach(function (name) {
      one.setAttribute(name, attributes[name]);
    });
    one.append.apply(one, children || []);
    return one;
  }

  /* Markup that the generator has made. */
  function made(tag, attributes, html) {
    var one = make(tag, attributes);
    one.innerHTML = html;
    return one;
  }

  function table(label, head, rows) {
    return make("div", { class: "table", role: "region", "aria-label": label, tabindex: "0" }, [
      make("table", { class: "data" }, [
        make("thead", {}, [make("tr", {}, head)]),
        make("tbody", {}, rows),
      ]),
    ]);
  }

  function column(text, numeric) {
    return make("th", numeric ? { scope: "col", class: "numeric" } : { scope: "col" }, [text]);
  }

  function said(parts) {
    return parts && parts.length
      ? [parts[0]].concat(parts[1] ? [make("small", {}, [" ± " + parts[1]])] : [])
      : [make("span", { class: "none", title: "not measured" }, ["–"])];
  }

  /* Nearest to the ideal, and those that are further off than it beyond the intervals. */
  function judged(values) {
    var sure = values.filter(function (value) {
      return value && value.length === 3;
    });
    var best = sure.reduce(function (one, other) {
      return one && one[2] <= other[2] ? one : other;
    }, null);
    var behind = sure.filter(function (value) {
      return best && value !== best && best[2] < value[1];
    });
    return { best: behind.length ? best : null, behind: behind };
  }

  function cell(value, verdict) {
    var content = value ? said(value[0]) : said(null);
    var attributes = { class: "numeric" };
    if (value && value === verdict.best) {
      attributes.class += " differs differs--nearer";
      content.unshift(make("span", { class: "visually-hidden" }, ["nearer: "]));
    } else if (value && verdict.behind.indexOf(value) >= 0) {
      attributes.class += " differs differs--behind";
      content.unshift(make("span", { class: "visually-hidden" }, ["further off: "]));
    }
    return make("td", attributes, content);
  }

  function taskTable(task, methods) {
    var head = [column("Measure"), column("Target", true), column("Retrained", true)].concat(
      methods.map(function (one) {
        return column(one.name, true);
      })
    );
    var attacked = false;
    var rows = task.measures
      .flatMap(function (measure) {
        var values = methods.map(function (one) {
          return one.tasks[task.id] && one.tasks[task.id].values[measure.id];
        });
        if (!values.some(Boolean)) {
          return [];
        }
        var verdict = judged(values);
        var name = make("th", { scope: "row" }, [
          make("abbr", { title: measure.meaning }, [measure.label]),
          make("span", { class: "direction", "aria-hidden": "true" }, [" " + measure.arrow]),
        ]);
        var row = make(
          "tr",
          verdict.best ? { class: "row--differs" } : {},
          [name, make("td", { class: "numeric" }, said(measure.target)), make("td", { class: "numeric" }, said(measure.retrained))].concat(
            values.map(function (value) {
              return cell(value, verdict);
            })
          )
        );
        if (!measure.attack || attacked) {
          return [row];
        }
        attacked = true;
        var title = make("th", { scope: "rowgroup", colspan: methods.length + 3 }, ["What it knows of the forget set when it is attacked"]);
        return [make("tr", { class: "row--title" }, [title]), row];
      });
    rows.push(
      make(
        "tr",
        {},
        [make("th", { scope: "row" }, ["Time"]), make("td", {}), make("td", {})].concat(
          methods.map(function (one) {
            return make("td", { class: "numeric" }, [one.tasks[task.id] ? one.tasks[task.id].time : "–"]);
          })
        )
      )
    );
    return table(task.name, head, rows);
  }

  function drawn(tag, attributes, text) {
    var one = document.createElementNS(SVG, tag);
    Object.keys(attributes).forEach(function (name) {
      one.setAttribute(name, attributes[name]);
    });
    if (text) {
      one.textContent = text;
    }
    return one;
  }

  /* The curves of a task in one square: what some trial reached in both, nearness to the right, utility up. */
  function curves(task, methods) {
    var with_curve = methods.filter(function (one) {
      return one.tasks[task.id] && one.tasks[task.id].curve.length;
    });
    if (!with_curve.length) {
      return null;
    }
    var left = 46;
    var size = 300;
    var top = 12;
    var words = with_curve
      .map(function (one) {
        return one.name + ": area " + one.tasks[task.id].area;
      })
      .join("; ");
    var svg = drawn("svg", { class: "figure curves", viewBox: "0 0 470 360", role: "img", "aria-label": "Trade-off on " + task.name + ". " + words });
    function across(value) {
      return left + size * value;
    }
    function up(value) {
      return top + size * (1 - value);
    }
    [0, 0.25, 0.5, 0.75, 1].forEach(function (tick) {
      svg.append(
        drawn("line", { class: "figure-grid", x1: across(tick), x2: across(tick), y1: up(0), y2: up(1) }),
        drawn("line", { class: "figure-grid", x1: across(0), x2: across(1), y1: up(tick), y2: up(tick) }),
        drawn("text", { class: "figure-tick", x: across(tick), y: up(0) + 17, "text-anchor": "middle" }, String(tick)),
        drawn("text", { class: "figure-tick", x: left - 7, y: up(tick) + 4, "text-anchor": "end" }, String(tick))
      );
    });
    svg.append(
      drawn("text", { class: "figure-axis", x: across(0.5), y: 350, "text-anchor": "middle" }, "Nearness to the retrained model →"),
      drawn("text", { class: "figure-axis", transform: "rotate(-90 12 " + up(0.5) + ")", x: 12, y: up(0.5), "text-anchor": "middle" }, "Utility kept →")
    );
    with_curve.forEach(function (one, number) {
      var points = one.tasks[task.id].curve.slice().sort(function (a, b) {
        return b[0] - a[0];
      });
      var path = "M" + across(points[0][0]) + "," + up(0);
      points.forEach(function (point) {
        path += "H" + across(point[0]) + "V" + up(point[1]);
      });
      var look = "curve curve--" + (number % 4);
      svg.append(drawn("path", { class: look, d: path + "H" + across(0) }));
      svg.append(drawn("line", { class: look, x1: 362, x2: 384, y1: 30 + 22 * number, y2: 30 + 22 * number }));
      svg.append(drawn("text", { class: "figure-label", x: 390, y: 34 + 22 * number }, one.name));
    });
    return make("figure", { class: "plot" }, [
      svg,
      make("figcaption", {}, ["The edge of all settings that the search tried, in one square: the corner on the upper right is the retrained model. " + words + "."]),
    ]);
  }

  function heading(id, text) {
    return make("h2", { id: id }, [text]);
  }

  function formulas(methods) {
    return make(
      "div",
      { class: "sides" },
      methods.map(function (one) {
        return make("section", { class: "side" }, [
          make("h3", {}, [make("a", { href: new URL("../methods/" + one.id + ".html", files).href }, [one.title])]),
          made("p", {}, one.summary),
          made("div", { class: "side__formula" }, one.objective),
        ]);
      })
    );
  }

  function needs(methods) {
    var rows = methods[0].needs.map(function (pair, number) {
      return make(
        "tr",
        {},
        [make("th", { scope: "row" }, [pair[0]])].concat(
          methods.map(function (one) {
            return make("td", {}, [one.needs[number][1]]);
          })
        )
      );
    });
    return table("What they need", [column("Needs")].concat(methods.map(function (one) { return column(one.name); })), rows);
  }

  function settings(methods) {
    var order = ["learning_rate"];
    methods.forEach(function (one) {
      one.settings.forEach(function (setting) {
        if (order.indexOf(setting[0]) < 0) {
          order.push(setting[0]);
        }
      });
    });
    var rows = order.map(function (name) {
      return make(
        "tr",
        {},
        [make("th", { scope: "row" }, [make("code", {}, [name])])].concat(
          methods.map(function (one) {
            var setting = one.settings.find(function (each) {
              return each[0] === name;
            });
            var chosen = outline.tasks
              .filter(function (task) {
                return one.tasks[task.id] && name in one.tasks[task.id].chosen;
              })
              .map(function (task) {
                return task.id + " " + one.tasks[task.id].chosen[name];
              })
              .join(", ");
            if (!setting && !chosen) {
              return make("td", {}, [make("span", { class: "none" }, ["–"])]);
            }
            return make("td", {}, [
              setting ? make("code", {}, [setting[1]]) : "by the task",
              chosen ? make("small", {}, [" chosen: " + chosen]) : "",
              setting ? made("span", { class: "side__meaning" }, setting[2]) : "",
            ]);
          })
        )
      );
    });
    return table("Hyper-parameters", [column("Name")].concat(methods.map(function (one) { return column(one.name); })), rows);
  }

  function copyable(line) {
    var code = make("code", {}, [line]);
    var holder = make("div", { class: "command", "data-copy": "" }, [code]);
    if (window.catalogCopy) {
      window.catalogCopy(holder, code);
    }
    return holder;
  }

  function draw(methods) {
    var parts = [
      copyable("unlearn compare " + methods.map(function (one) { return one.id; }).join(" ")),
      heading("formulas", "Formulas"),
      formulas(methods),
      heading("needs", "What they need"),
      needs(methods),
      heading("settings", "Hyper-parameters"),
      settings(methods),
    ];
    outline.tasks.forEach(function (task) {
      var measured = methods.some(function (one) {
        return one.tasks[task.id];
      });
      if (measured) {
        parts.push(heading("on-" + task.id, task.name));
        parts.push(taskTable(task, methods));
        var figure = curves(task, methods);
        if (figure) {
          parts.push(figure);
        }
      }
    });
    parts.push(
      make("p", { class: "faint" }, [
        "Means over seeds, ± half a 95% confidence interval. Bold: nearest to the ideal of its measure; the others in a marked row are further off beyond the intervals. Rows without a mark tell the methods not apart. ↑ higher is better, ↓ lower, ≈ nearer to the retrained model.",
      ])
    );
    place.replaceChildren.apply(place, parts);
    place.hidden = false;
  }

  function chosen() {
    return (new URLSearchParams(location.search).get("methods") || "")
      .split(",")
      .map(function (id) {
        return id.trim().toLowerCase().replace(/_/g, "-");
      })
      .filter(function (id, number, all) {
        return id && all.indexOf(id) === number;
      });
  }

  function show() {
    var asked = chosen();
    var ids = asked.filter(known);
    var unknown = asked.filter(function (id) {
      return !known(id);
    });
    var mine = (turn += 1);
    boxes.forEach(function (box) {
      box.checked = ids.indexOf(box.value) >= 0;
    });
    showPicked(ids);
    var note = unknown.length ? "No method here is called " + unknown.join(", ") + ". " : "";
    status.textContent = note + (ids.length > 1 ? "" : ids.length ? "Pick another one to compare it with." : "Pick two or more.");
    if (!ids.length) {
      place.hidden = true;
      place.replaceChildren();
      return;
    }
    Promise.all(ids.map(load)).then(
      function (methods) {
        if (mine === turn) {
          draw(methods);
        }
      },
      function () {
        status.textContent = "What was measured could not be loaded. Try again.";
      }
    );
  }

  /* What is picked, each to be put back. */
  function showPicked(ids) {
    var buttons = ids.map(function (id) {
      var name = known(id).closest("label").textContent;
      return make("button", { type: "button", class: "chip", value: id, "aria-label": "Leave out " + name }, [name + " \u00d7"]);
    });
    picked.replaceChildren.apply(picked, buttons);
  }

  /* Leaves the boxes that have all words typed in their name or their family's. */
  function narrow() {
    var fits = query.holding(find.value);
    form.querySelectorAll(".picker__family").forEach(function (family) {
      var around = family.querySelector("legend").textContent;
      var some = false;
      family.querySelectorAll(".picker__one").forEach(function (label) {
        label.hidden = !fits(query.folded([label.textContent, label.title, around].join(" ")));
        some = some || !label.hidden;
      });
      family.hidden = !some;
    });
  }

  function pick(id, wanted) {
    var ids = chosen().filter(function (one) {
      return known(one) && one !== id;
    });
    if (wanted) {
      ids.push(id);
    }
    history.pushState(null, "", location.pathname + (ids.length ? "?methods=" + ids.join(",") : ""));
    show();
  }

  form.addEventListener("change", function (event) {
    if (event.target !== find) {
      pick(event.target.value, event.target.checked);
    }
  });
  form.addEventListener("submit", function (event) {
    event.preventDefault();
  });
  find.addEventListener("input", narrow);
  picked.addEventListener("click", function (event) {
    if (event.target.value) {
      pick(event.target.value, false);
      find.focus();
    }
  });
  window.addEventListener("popstate", show);
  form.hidden = false;
  show();
})();
