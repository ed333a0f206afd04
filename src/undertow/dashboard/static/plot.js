/* The chart of quality over time, to be touched: drag to zoom, double click for all of it, values under the pointer. The page has the same
   chart as a picture, which stays for those who hear the page, and for saving it. What is zoomed in on stands in the address. */
(function () {
  "use strict";
  var root = document.documentElement;
  var BAND = 0.16, FINE_S = 4 * 86400, DAY_S = 86400;
  var open = null;

  function colour(name, within) { return getComputedStyle(within || root).getPropertyValue(name).trim(); }

  function pale(hex, alpha) {
    var n = parseInt(hex.slice(1), 16);
    return hex.length === 7 ? "rgba(" + (n >> 16) + "," + (n >> 8 & 255) + "," + (n & 255) + "," + alpha + ")" : hex;
  }

  function percent(value) { return value === null || value === undefined ? "–" : (100 * value).toFixed(1) + "\u00a0%"; }

  function moment(text, isEnd) {
    if (!text) { return null; }
    var at = Date.parse(text.length === 10 ? text + "T00:00:00Z" : text);
    return isNaN(at) ? null : at / 1000 + (isEnd && text.length === 10 ? DAY_S : 0);
  }

  function text(seconds, isFine) { return new Date(1000 * seconds).toISOString().slice(0, isFine ? 16 : 10) + (isFine ? "Z" : ""); }

  /* The same rule as the picture's: all values, most of the bands. */
  function range(data, from, to) {
    var values = [], lows = [], highs = [];
    data.at.forEach(function (at, i) {
      if (at < from || at > to) { return; }
      data.lines.forEach(function (line) {
        if (line.mean[i] !== null) { values.push(line.mean[i]); }
        if (line.low[i] !== null) { lows.push(line.low[i]); highs.push(line.high[i]); }
      });
    });
    if (!values.length) { return [0, 1]; }
    function up(a, b) { return a - b; }
    lows.sort(up);
    highs.sort(up);
    var low = Math.min.apply(null, values), high = Math.max.apply(null, values);
    if (lows.length) {
      low = Math.min(low, lows[Math.floor(lows.length / 12)]);
      high = Math.max(high, highs[highs.length - 1 - Math.floor(highs.length / 12)]);
    }
    var pad = Math.max(0.06 * (high - low), 0.01);
    return [Math.max(0, low - pad), Math.min(1, high + pad)];
  }

  function legend(host, data) {
    var list = host.querySelector(".plotlegend");
    list.replaceChildren();
    return data.lines.map(function (line) {
      var item = document.createElement("li"), swatch = document.createElement("span"), value = document.createElement("span");
      item.className = line.cls;
      swatch.className = "swatch";
      value.className = "n muted";
      item.append(swatch, document.createTextNode(line.label + " "), value);
      list.appendChild(item);
      return { item: item, value: value };
    });
  }

  function start(host) {
    if (host.dataset.drawn) { return; }
    host.dataset.drawn = "1";
    fetch(host.dataset.plot, { credentials: "same-origin" }).then(function (answer) {
      return answer.ok ? answer.json() : null;
    }).then(function (data) {
      if (data && data.at.length > 1 && data.lines.length && host.isConnected) { draw(host, data); }
    }).catch(function () { /* the picture stays */ });
  }

  function draw(host, data) {
    var area = host.querySelector(".plotarea"), when = host.querySelector(".plotwhen"), reset = host.querySelector(".plotreset");
    host.classList.add("drawn");
    host.querySelector(".plothost").hidden = false;
    var items = legend(host, data), first = data.at[0], last = data.at[data.at.length - 1], isReady = false;
    var latest = data.at.length - 1;
    while (latest > 0 && data.lines.every(function (line) { return line.mean[latest] === null; })) { latest -= 1; }
    var series = [{}], bands = [], columns = [data.at];
    data.lines.forEach(function (line, i) {
      function stroke() { return colour("--c", items[i].item); }
      columns.push(line.high, line.low, line.mean);
      series.push({ stroke: "transparent", width: 0, points: { show: false } }, { stroke: "transparent", width: 0, points: { show: false } });
      series.push({ stroke: stroke, width: 2, points: { show: data.at.length < 40, size: 5, fill: stroke, stroke: stroke } });
      bands.push({ series: [3 * i + 1, 3 * i + 2], fill: function () { return pale(stroke(), data.at.length < 40 ? BAND : BAND / 2); } });
    });
    function axis(extra) {
      return Object.assign({
        stroke: function () { return colour("--muted"); }, font: "12px system-ui, sans-serif",
        grid: { stroke: function () { return colour("--rule"); }, width: 1 }, ticks: { stroke: function () { return colour("--rule"); }, width: 1 }
      }, extra);
    }
    var plot = new window.uPlot({
      width: area.clientWidth, height: height(area),
      tzDate: function (at) { return window.uPlot.tzDate(new Date(1000 * at), "Etc/UTC"); },
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, dist: 6 }, points: { show: function (u, i) { return i % 3 === 0 ? undefined : document.createElement("i"); } } },
      scales: { x: { time: true }, y: { range: function (u) { return range(data, u.scales.x.min === null ? first : u.scales.x.min, u.scales.x.max === null ? last : u.scales.x.max); } } },
      axes: [axis({ grid: { show: false }, values: days }), axis({ size: 56, values: function (u, all) { return all.map(function (v) { return +(100 * v).toPrecision(4) + " %"; }); } })],
      series: series, bands: bands,
      hooks: {
        drawClear: [function (u) { onsets(u, data); }],
        draw: [function (u) { alarms(u, data); marks(u, data); }],
        setCursor: [function (u) { told(u.cursor.idx); }],
        setScale: [function (u, key) { if (key === "x" && isReady) { zoomed(u.scales.x.min, u.scales.x.max); } }]
      }
    }, columns, area);

    function told(index) {
      var at = index === null || index === undefined ? latest : index;
      when.textContent = data.every + " of " + text(data.at[at], data.every === "hour").replace("T", " ").replace("Z", " UTC") + ":";
      data.lines.forEach(function (line, i) {
        var value = line.mean[at];
        items[i].value.textContent = value === null ? "no labels" : percent(value) + (line.low[at] === null ? "" : " (" + percent(line.low[at]) + " to " + percent(line.high[at]) + "), " + line.n[at] + " labels");
      });
    }

    function zoomed(min, max) {
      var url = new URL(window.location.href), isAll = min <= first + 1 && max >= last - 1, isFine = max - min < FINE_S;
      if (isAll) { url.searchParams.delete("from"); url.searchParams.delete("to"); } else {
        url.searchParams.set("from", text(min, isFine));
        url.searchParams.set("to", text(max, isFine));
      }
      reset.hidden = isAll;
      window.history.replaceState(window.history.state, "", url);
      follow(url);
    }

    var given = new URL(window.location.href).searchParams, from = moment(given.get("from"), false), to = moment(given.get("to"), true);
    if (from !== null || to !== null) {
      plot.setScale("x", { min: from === null ? first : from, max: to === null ? last : to });
      reset.hidden = false;
    }
    told(null);
    // Scales are set in a microtask of uPlot's; what comes after it is the reader's doing.
    window.setTimeout(function () { isReady = true; }, 50);
    reset.onclick = function () { plot.setScale("x", { min: first, max: last }); };
    var observer = new ResizeObserver(function () {
      if (!area.isConnected) { observer.disconnect(); plot.destroy(); return; }
      if (area.clientWidth && area.clientWidth !== plot.width) { plot.setSize({ width: area.clientWidth, height: height(area) }); }
    });
    observer.observe(area);
    open = plot;
  }

  function height(area) { return area.clientWidth < 600 ? 260 : 360; }

  var MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  function days(u, all) {
    return all.map(function (at, i) {
      var moment = new Date(1000 * at), before = i ? new Date(1000 * all[i - 1]) : null;
      var day = MONTHS[moment.getUTCMonth()] + " " + moment.getUTCDate();
      if (before && before.getUTCFullYear() !== moment.getUTCFullYear()) { day += " " + moment.getUTCFullYear(); }
      return at % DAY_S ? moment.toISOString().slice(11, 16) : day;
    });
  }

  function inside(u, at) { return at >= u.scales.x.min && at <= u.scales.x.max; }

  function onsets(u, data) {
    u.ctx.save();
    u.ctx.fillStyle = pale(colour("--ink"), 0.09);
    data.alarms.forEach(function (alarm) {
      if (!alarm.onset) { return; }
      var ends = alarm.onset.map(function (at) { return u.valToPos(Math.min(Math.max(at, u.scales.x.min), u.scales.x.max), "x", true); });
      if (alarm.onset[1] < u.scales.x.min || alarm.onset[0] > u.scales.x.max) { return; }
      u.ctx.fillRect(ends[0], u.bbox.top, Math.max(ends[1] - ends[0], 3), u.bbox.height);
    });
    u.ctx.restore();
  }

  function alarms(u, data) {
    var ratio = window.devicePixelRatio || 1, taken = [];
    u.ctx.save();
    data.alarms.forEach(function (alarm) {
      if (!inside(u, alarm.at)) { return; }
      var x = u.valToPos(alarm.at, "x", true), row = taken.filter(function (other) { return Math.abs(other - x) < 18 * ratio; }).length;
      var y = u.bbox.top + (10 + 19 * row) * ratio;
      taken.push(x);
      u.ctx.strokeStyle = colour("--detected");
      u.ctx.lineWidth = 1.2 * ratio;
      u.ctx.setLineDash([2 * ratio, 3 * ratio]);
      u.ctx.beginPath();
      u.ctx.moveTo(x, y);
      u.ctx.lineTo(x, u.bbox.top + u.bbox.height);
      u.ctx.stroke();
      u.ctx.fillStyle = colour("--ink");
      u.ctx.beginPath();
      u.ctx.arc(x, y, 8.5 * ratio, 0, 7);
      u.ctx.fill();
      u.ctx.fillStyle = colour("--card");
      word(u, String(alarm.number), x, y, ratio);
    });
    u.ctx.restore();
  }

  function marks(u, data) {
    var ratio = window.devicePixelRatio || 1, foot = u.bbox.top + u.bbox.height, taken = -Infinity;
    u.ctx.save();
    u.ctx.fillStyle = colour("--ink");
    data.marks.forEach(function (mark) {
      if (!inside(u, mark.at)) { return; }
      var x = u.valToPos(mark.at, "x", true);
      u.ctx.beginPath();
      u.ctx.moveTo(x, foot);
      u.ctx.lineTo(x - 3.5 * ratio, foot - 6 * ratio);
      u.ctx.lineTo(x + 3.5 * ratio, foot - 6 * ratio);
      u.ctx.fill();
      taken = Math.max(x, taken + 12 * ratio);
      word(u, mark.letter, taken, foot - 13 * ratio, ratio);
    });
    u.ctx.restore();
  }

  function word(u, what, x, y, ratio) {
    u.ctx.font = "650 " + 11 * ratio + "px system-ui, sans-serif";
    u.ctx.textAlign = "center";
    u.ctx.textBaseline = "middle";
    u.ctx.fillText(what, x, y);
  }

  /* What else on the page tells of the time that is shown: the picture, its table, its rows to take away, the fields of the form. */
  var waiting = 0;
  function follow(url) {
    window.clearTimeout(waiting);
    waiting = window.setTimeout(function () {
      fetch(url, { credentials: "same-origin" }).then(function (answer) { return answer.ok ? answer.text() : null; }).then(function (page) {
        if (page === null || window.location.href !== url.href) { return; }
        var made = new DOMParser().parseFromString(page, "text/html");
        document.querySelectorAll("[data-follow]").forEach(function (here) {
          var there = made.getElementById(here.id);
          if (there && !here.contains(document.activeElement)) { here.replaceChildren.apply(here, Array.from(document.importNode(there, true).childNodes)); }
        });
      }).catch(function () { /* the chart is right, the rest follows with the next page */ });
    }, 350);
  }

  function begin() { document.querySelectorAll("[data-plot]").forEach(start); }

  function repaint() { if (open) { open.redraw(false); } }

  document.addEventListener("DOMContentLoaded", begin);
  document.addEventListener("htmx:afterSettle", begin);
  /* News are fetched for what is zoomed in on now, which the page did not know when it was made. */
  document.addEventListener("htmx:configRequest", function (event) {
    if (event.detail.elt && event.detail.elt.id === "content") { event.detail.path = window.location.pathname + window.location.search; }
  });
  new MutationObserver(repaint).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
})();
