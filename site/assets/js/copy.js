/* A button "Copy" beside every command and every BibTeX entry. Without script there is no button. */
(function () {
  "use strict";

  function legacyCopy(text) {
    var area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.appendChild(area);
    area.select();
    var done = document.execCommand("copy");
    area.remove();
    return done ? Promise.resolve() : Promise.reject(new Error("refused"));
  }

  function copy(text) {
    if (navigator.clipboard && window.isSecureContext) {
      return navigator.clipboard.writeText(text).catch(function () {
        return legacyCopy(text);
      });
    }
    return legacyCopy(text);
  }

  function say(button, label, text) {
    button.textContent = text;
    setTimeout(function () {
      button.textContent = label;
    }, 2000);
  }

  function addButton(holder, label, source) {
    var button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = label;
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", function () {
      copy(source.textContent.trim()).then(
        function () {
          say(button, label, "Copied");
        },
        function () {
          say(button, label, "Press Ctrl+C");
        }
      );
    });
    holder.appendChild(button);
  }

  /* For what other scripts write. */
  window.catalogCopy = function (holder, source) {
    addButton(holder, "Copy", source);
  };

  document.querySelectorAll("[data-copy]").forEach(function (holder) {
    addButton(holder, "Copy", holder.querySelector("code"));
  });

  document.querySelectorAll(".language-bibtex").forEach(function (block) {
    var holder = document.querySelector(".downloads");
    if (holder) {
      addButton(holder, "Copy BibTeX", block.querySelector("code"));
      addButton(holder, "Copy RIS", holder.querySelector(".language-ris"));
    }
  });
})();
