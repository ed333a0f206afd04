/* Keys for reviewing, and the item kept while the page is open. Without this file buttons do it all. */
(function () {
  "use strict";
  var HOLD_MS = 300000;
  var OFF = "undertow-review-keys-off";

  function areKeysOff() {
    try { return window.localStorage.getItem(OFF) === "yes"; } catch (_) { return false; }
  }

  function press(selector) {
    var button = document.querySelector(selector);
    if (button) { button.click(); }
    return Boolean(button);
  }

  document.addEventListener("keydown", function (event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat || event.defaultPrevented) { return; }
    var target = event.target;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.isContentEditable) { return; }
    if (document.querySelector("dialog[open]")) { return; }
    var sheet = document.getElementById("sheet"), key = event.key, isDone = false;
    if (key === "?") { isDone = press("#keysbutton"); }
    if (!areKeysOff()) {
      /* The arrows go on scrolling a text that has the focus. */
      if (sheet && sheet.dataset.two && target.tagName !== "PRE") { key = { ArrowLeft: "a", ArrowRight: "b" }[key] || key; }
      if (/^[ynabtx1-5]$/.test(key)) { isDone = press('#vote button[value="' + key + '"]'); }
      if (key === "u") { isDone = press("#undo button"); }
      if (key === "s" && sheet) { document.querySelector("#skip input[name=why]").focus(); isDone = true; }
    }
    if (isDone) { event.preventDefault(); }
  });

  function help() {
    var dialog = document.getElementById("keys"), button = document.getElementById("keysbutton");
    if (!dialog || !dialog.showModal) { return; }
    var box = document.getElementById("keyson");
    button.hidden = false;
    button.addEventListener("click", function () { box.checked = !areKeysOff(); dialog.showModal(); });
    box.addEventListener("change", function () {
      try { window.localStorage.setItem(OFF, box.checked ? "no" : "yes"); } catch (_) { /* on, for want of a memory */ }
    });
  }

  /* One press, one verdict. */
  function once() {
    document.querySelectorAll("#vote, #skip, #undo").forEach(function (form) {
      form.addEventListener("submit", function (event) {
        if (form.dataset.sent) { event.preventDefault(); }
        form.dataset.sent = "yes";
      });
    });
  }

  function keep(sheet) {
    var note = document.getElementById("holdnote");
    function say(text) {
      note.textContent = text;
      note.hidden = !text;
    }
    function hold() {
      if (document.hidden) { return; }
      fetch("/ui/review/hold", {
        method: "POST", credentials: "same-origin", redirect: "manual",
        body: new URLSearchParams({ csrf: document.querySelector("#vote input[name=csrf]").value, item: sheet.dataset.item })
      }).then(function (answer) {
        if (answer.status === 401 || answer.status === 403 || answer.type === "opaqueredirect") {
          say("Your session is over. What you typed here is kept: log in again in another tab, then load this page again.");
          return null;
        }
        return answer.ok ? answer.text() : null;
      }).then(function (said) {
        if (said === "gone") { say("This item was judged in another tab, or went to somebody else while the page was away. Load the page again for the next one."); }
        if (said === "held") { say(""); }
      }).catch(function () { say("The dashboard cannot be reached. Nothing that was kept is lost; what you typed here stays."); });
    }
    window.setInterval(hold, HOLD_MS);
    document.addEventListener("visibilitychange", hold);
  }

  document.addEventListener("DOMContentLoaded", function () {
    var sheet = document.getElementById("sheet");
    help();
    once();
    if (sheet) { keep(sheet); }
  });
  /* A page that the browser kept as it was may show what has been judged since. */
  window.addEventListener("pageshow", function (event) { if (event.persisted) { window.location.reload(); } });
})();
