/* What pages do in the browser: colours, times in the reader's zone, charts to take away, and news without a reload. All of it is an
   addition: without it every page can be read, and every form sent. */
(function () {
  "use strict";
  var root = document.documentElement;
  var LIVE_MS = 15000;

  function isDark() {
    return root.dataset.theme ? root.dataset.theme === "dark" : window.matchMedia("(prefers-color-scheme: dark)").matches;
  }

  function theme() {
    var button = document.getElementById("theme");
    if (!button) { return; }
    function say() {
      button.textContent = isDark() ? "Light" : "Dark";
      button.setAttribute("aria-label", isDark() ? "Switch to light colours" : "Switch to dark colours");
    }
    button.hidden = false;
    say();
    button.addEventListener("click", function () {
      root.dataset.theme = isDark() ? "light" : "dark";
      try { window.localStorage.setItem("undertow-theme", root.dataset.theme); } catch (_) { /* kept for this page only */ }
      say();
    });
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", say);
  }

  function times(within) {
    within.querySelectorAll("time[datetime]").forEach(function (element) {
      if (element.title) { return; }
      var moment = new Date(element.getAttribute("datetime"));
      if (isNaN(moment)) { return; }
      element.title = element.textContent.trim();
      element.textContent = moment.toLocaleString(undefined, {
        year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit"
      });
    });
  }

  /* A chart as a picture: its SVG with the page's style sheets inside, drawn on a canvas at twice its size. */
  function styled(svg) {
    var copy = svg.cloneNode(true);
    var css = Array.prototype.map.call(document.styleSheets, function (sheet) {
      try { return Array.prototype.map.call(sheet.cssRules, function (rule) { return rule.cssText; }).join("\n"); } catch (_) { return ""; }
    }).join("\n");
    var style = document.createElementNS("http://www.w3.org/2000/svg", "style");
    style.textContent = css;
    copy.insertBefore(style, copy.firstChild);
    copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
    if (root.dataset.theme) { copy.setAttribute("data-theme", root.dataset.theme); }
    return new XMLSerializer().serializeToString(copy);
  }

  function save(name, blob) {
    var link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    window.setTimeout(function () { URL.revokeObjectURL(link.href); }, 10000);
  }

  function exports(within) {
    within.querySelectorAll("main figure").forEach(function (figure) {
      if (figure.querySelector(".takeaway") || !figure.querySelector("svg")) { return; }
      var section = figure.closest("section[id]");
      figure.dataset.name = "undertow-" + (section ? section.id : "chart");
      var bar = document.createElement("div");
      bar.className = "takeaway";
      [["SVG", "svg"], ["PNG", "png"]].forEach(function (kind) {
        var button = document.createElement("button");
        button.type = "button";
        button.textContent = kind[0];
        button.setAttribute("aria-label", "Save the chart " + figure.dataset.name + " as " + kind[0]);
        button.addEventListener("click", function () { take(figure, kind[1]); });
        bar.appendChild(button);
      });
      figure.appendChild(bar);
    });
  }

  function take(figure, kind) {
    var svg = Array.prototype.find.call(figure.querySelectorAll("svg"), function (each) { return each.getBoundingClientRect().width > 0; });
    if (!svg) { return; }
    var text = styled(svg);
    var whole = new Blob([text], { type: "image/svg+xml" });
    if (kind === "svg") { save(figure.dataset.name + ".svg", whole); return; }
    var image = new Image();
    image.onload = function () {
      var size = svg.getBoundingClientRect();
      var canvas = document.createElement("canvas");
      canvas.width = 2 * size.width;
      canvas.height = 2 * size.height;
      var context = canvas.getContext("2d");
      context.fillStyle = getComputedStyle(document.body).backgroundColor;
      context.fillRect(0, 0, canvas.width, canvas.height);
      context.drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(function (blob) { if (blob) { save(figure.dataset.name + ".png", blob); } });
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(text);
  }

  /* News: the page is made anew once the log was read again, and never under the hands of somebody who is typing. */
  function live() {
    var freshness = document.getElementById("freshness");
    if (!freshness) { return; }
    window.setInterval(function () {
      if (document.hidden) { return; }
      fetch("/ui/read-at", { credentials: "same-origin" }).then(function (answer) {
        return answer.ok ? answer.text() : null;
      }).then(function (at) {
        if (!at || at === freshness.dataset.read) { return; }
        var active = document.activeElement;
        if (active && /^(INPUT|TEXTAREA|SELECT)$/.test(active.tagName)) { return; }
        freshness.dataset.read = at;
        freshness.textContent = "Read just now";
        document.body.dispatchEvent(new CustomEvent("log-changed"));
      }).catch(function () { /* away for a while */ });
    }, LIVE_MS);
  }

  /* The day slider: shows the day while it is dragged, goes there when it is let go. */
  function slider(within) {
    var label = within.querySelector("label.slider");
    if (!label || !label.hidden) { return; }
    var range = label.querySelector("input"), field = document.querySelector("#as-of input[type=date]");
    label.hidden = false;
    function day() {
      var moment = new Date(range.dataset.first + "T00:00:00Z");
      moment.setUTCDate(moment.getUTCDate() + Number(range.value));
      return moment.toISOString().slice(0, 10);
    }
    range.addEventListener("input", function () {
      field.value = day();
      range.setAttribute("aria-valuetext", field.value);
    });
    range.addEventListener("change", function () { document.getElementById("as-of").requestSubmit(); });
  }

  /* A slider beside a number: each follows the other. */
  function numbers(within) {
    within.querySelectorAll("[data-slider]").forEach(function (row) {
      var range = row.querySelector("input[type=range]"), field = row.querySelector("input[type=number]");
      if (!range.hidden) { return; }
      range.hidden = false;
      range.addEventListener("input", function () { field.value = range.value; });
      field.addEventListener("input", function () { range.value = field.value; });
    });
  }

  /* What somebody types is kept in this tab until it was taken: through a reload, news of the log, and a session that ends meanwhile. */
  function keeps(within) {
    try {
      within.querySelectorAll("[data-done]").forEach(function (element) {
        Object.keys(window.sessionStorage).forEach(function (key) {
          if (key.indexOf("undertow-keep:" + element.dataset.done) === 0) { window.sessionStorage.removeItem(key); }
        });
      });
      within.querySelectorAll("[data-keep]").forEach(function (field) {
        var key = "undertow-keep:" + field.dataset.keep;
        if (!field.value) { field.value = window.sessionStorage.getItem(key) || ""; }
        field.addEventListener("input", function () { window.sessionStorage.setItem(key, field.value); });
      });
    } catch (_) { /* a browser that keeps nothing */ }
  }

  /* Whoever sits here next reads nothing of it. */
  function forgets() {
    document.querySelectorAll('form[action="/ui/logout"]').forEach(function (form) {
      form.addEventListener("submit", function () {
        try {
          Object.keys(window.sessionStorage).forEach(function (key) {
            if (key.indexOf("undertow-keep:") === 0) { window.sessionStorage.removeItem(key); }
          });
        } catch (_) { /* a browser that keeps nothing */ }
      });
    });
  }

  function begin(within) {
    slider(within);
    numbers(within);
    times(within);
    exports(within);
    keeps(within);
  }

  document.addEventListener("DOMContentLoaded", function () {
    theme();
    forgets();
    begin(document);
    live();
  });
  document.addEventListener("htmx:afterSettle", function (event) { begin(event.target || document); });
})();
