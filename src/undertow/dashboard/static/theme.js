/* Before anything is painted: the colours that the reader chose last. */
(function () {
  "use strict";
  try {
    var chosen = window.localStorage.getItem("undertow-theme");
    if (chosen === "light" || chosen === "dark") { document.documentElement.dataset.theme = chosen; }
  } catch (_) { /* a browser that keeps nothing follows the system */ }
})();
