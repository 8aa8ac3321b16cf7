(function () {
  "use strict";
  var root = document.documentElement;

  // Theme: starts as the system has it.
  var button = document.getElementById("theme");
  var system = window.matchMedia("(prefers-color-scheme: dark)");
  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : system.matches;
  }
  function label() {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", "Switch to the " + button.textContent.toLowerCase() + " theme");
  }
  button.addEventListener("click", function () {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  system.addEventListener("change", label);
  button.hidden = false;
  label();

  // Viewers: one page at a time.
  document.querySelectorAll("[data-viewer]").forEach(function (viewer) {
    var pages = Array.from(viewer.querySelectorAll("[data-page]"));
    var place = 0;
    function show(next) {
      place = (next + pages.length) % pages.length;
      pages.forEach(function (page, number) {
        page.classList.toggle("away", number !== place);
      });
      viewer.querySelector("[data-place]").textContent = place + 1;
    }
    viewer.querySelectorAll("[data-step]").forEach(function (step) {
      step.addEventListener("click", function () {
        show(place + Number(step.dataset.step));
      });
    });
    viewer.querySelector(".pager").hidden = pages.length < 2;
    show(0);
  });

  // On paper everything is open; rows of one name would close each other.
  var opened = [];
  window.addEventListener("beforeprint", function () {
    opened = Array.from(document.querySelectorAll("details:not([open])"));
    opened.forEach(function (one) {
      one.dataset.name = one.getAttribute("name") || "";
      one.removeAttribute("name");
      one.open = true;
    });
  });
  window.addEventListener("afterprint", function () {
    opened.forEach(function (one) {
      one.open = false;
      if (one.dataset.name) {
        one.setAttribute("name", one.dataset.name);
      }
    });
  });
})();
