/* Keys for reviewing, the item kept while the page is open, and a reason that survives a reload. Without this file buttons do it all. */
(function () {
  "use strict";
  var HOLD_MS = 300000;

  function press(said) {
    var button = document.querySelector('#vote button[value="' + said + '"]');
    if (button) { button.click(); }
    return Boolean(button);
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) { return; }
    var target = event.target;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable) { return; }
    var sheet = document.getElementById("sheet");
    var key = event.key;
    if (sheet && sheet.dataset.two) { key = { ArrowLeft: "a", ArrowRight: "b" }[key] || key; }
    if (/^[ynabtx1-5]$/.test(key)) {
      if (press(key)) { event.preventDefault(); }
    } else if (key === "u") {
      document.querySelector("#undo button").click();
    } else if (key === "s" && sheet) {
      document.querySelector("#skip input[name=why]").focus();
      event.preventDefault();
    } else if (key === "?") {
      var keys = document.querySelector("details.keys");
      keys.open = !keys.open;
    }
  });

  document.addEventListener("DOMContentLoaded", function () {
    var sheet = document.getElementById("sheet");
    if (!sheet) { return; }
    var field = document.querySelector("#skip input[name=why]"), name = "undertow-skip-" + sheet.dataset.item;
    try {
      field.value = window.sessionStorage.getItem(name) || "";
      field.addEventListener("input", function () { window.sessionStorage.setItem(name, field.value); });
    } catch (_) { /* a browser that keeps nothing */ }
    /* One press, one verdict. */
    document.querySelectorAll("#vote, #skip").forEach(function (form) {
      form.addEventListener("submit", function (event) {
        if (form.dataset.sent) { event.preventDefault(); }
        form.dataset.sent = "yes";
      });
    });
    window.addEventListener("pageshow", function () {
      document.querySelectorAll("#vote, #skip").forEach(function (form) { delete form.dataset.sent; });
    });
    window.setInterval(function () {
      if (!document.hidden) { fetch("/ui/review/hold?item=" + encodeURIComponent(sheet.dataset.item), { credentials: "same-origin" }); }
    }, HOLD_MS);
  });
})();
