"use strict";
(function () {
  const byId = (id) => document.getElementById(id);
  const readJson = (id) => JSON.parse(byId(id).textContent);

  // ---- theme

  const THEMES = ["automatic", "light", "dark"];
  function storedTheme() {
    try { return localStorage.getItem("mirsweep-theme") || "automatic"; } catch (error) { return "automatic"; }
  }
  function setTheme(theme) {
    if (theme === "automatic") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    byId("theme").textContent = "Theme: " + theme;
    try { localStorage.setItem("mirsweep-theme", theme); } catch (error) { /* a file without storage */ }
  }
  function initTheme() {
    let theme = THEMES.includes(storedTheme()) ? storedTheme() : "automatic";
    setTheme(theme);
    byId("theme").hidden = false;
    byId("theme").addEventListener("click", () => {
      theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
      setTheme(theme);
    });
  }

  // ---- the table

  const data = readJson("data");
  const column = Object.fromEntries(data.columns.map((name, i) => [name, i]));
  const value = (i, name) => data.rows[i][column[name]];
  const table = byId("table");
  const state = { key: "rank", falling: false, page: 0, size: 25, order: [], opened: new Map() };
  let rows = [];
  let texts = [];

  function initTable() {
    rows = Array.from(table.tBodies[0].rows);
    texts = data.rows.map((row) => row.filter((each) => typeof each === "string").join("\n").toLowerCase());
    for (const head of table.tHead.rows[0].cells) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.firstElementChild.childNodes);
      head.firstElementChild.replaceWith(button);
      button.addEventListener("click", () => sortBy(head));
    }
    table.tBodies[0].addEventListener("click", (event) => {
      const row = event.target.closest("tr[data-i]");
      if (row && !String(getSelection())) toggle(Number(row.dataset.i));
    });
    for (const id of ["search", "score"]) byId(id).addEventListener("input", refresh);
    for (const id of ["level", "strand"]) byId(id).addEventListener("change", refresh);
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    byId("controls").addEventListener("reset", () => setTimeout(refresh));
    byId("size").addEventListener("change", () => { state.size = Number(byId("size").value); turn(0); });
    byId("previous").addEventListener("click", () => turn(state.page - 1));
    byId("next").addEventListener("click", () => turn(state.page + 1));
    byId("tsv").addEventListener("click", () => save("loci.tsv", asTsv(), "text/tab-separated-values"));
    byId("fasta").addEventListener("click", () => save("loci.fa", asFasta(), "text/plain"));
    for (const each of document.querySelectorAll("[data-show]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "jump";
      button.append(...each.childNodes);
      button.setAttribute("aria-label", "Show locus " + button.textContent);
      button.addEventListener("click", () => show(Number(each.dataset.show)));
      each.replaceWith(button);
    }
    for (const id of ["controls", "bar", "pager"]) byId(id).hidden = false;
    refresh();
  }

  function sortBy(head) {
    const isNumber = head.classList.contains("number") && head.dataset.key !== "rank";
    state.falling = head.hasAttribute("aria-sort") ? !state.falling : isNumber;
    state.key = head.dataset.key;
    for (const each of table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", state.falling ? "descending" : "ascending");
    refresh();
  }

  function compare(one, other) {
    if (state.key === "rank") return one - other;
    if (state.key === "start") return byPlace(one, other);
    const [a, b] = [value(one, state.key), value(other, state.key)];
    if (a === b) return 0;
    if (a === null || b === null) return (a === null ? 1 : -1) * (state.falling ? -1 : 1); // those without come last
    return typeof a === "string" ? a.localeCompare(b, undefined, { numeric: true }) : a - b;
  }

  function byPlace(one, other) {
    for (const name of ["genome", "contig"]) {
      const order = String(value(one, name)).localeCompare(String(value(other, name)), undefined, { numeric: true });
      if (order) return order;
    }
    return value(one, "start") - value(other, "start");
  }

  function matches(i, asked) {
    return Number(rows[i].className.replace("level", "")) <= asked.level
      && (!asked.strand || value(i, "strand") === asked.strand)
      && (Number.isNaN(asked.score) || value(i, "locus_score") >= asked.score)
      && asked.words.every((word) => contains(i, word));
  }

  function contains(i, word) {
    const region = /^(.+):([\d,]+)-([\d,]+)$/.exec(word);
    if (region && !texts[i].includes(word)) {
      const [first, last] = [region[2], region[3]].map((each) => Number(each.replaceAll(",", "")));
      return String(value(i, "contig")).toLowerCase() === region[1] && value(i, "start") < last && value(i, "end") >= first;
    }
    const cluster = /^cluster:(\d+)$/.exec(word);
    if (cluster) return value(i, "cluster") === Number(cluster[1]) - 1;
    const isSequence = /^[acgtu]{6,}$/.test(word);
    return texts[i].includes(isSequence ? word.replaceAll("t", "u") : word);
  }

  function refresh() {
    const asked = {
      words: byId("search").value.trim().toLowerCase().split(/\s+/).filter(Boolean),
      level: Number(byId("level").value),
      strand: byId("strand").value,
      score: byId("score").valueAsNumber,
    };
    const chosen = data.rows.map((_, i) => i).filter((i) => matches(i, asked));
    chosen.sort((a, b) => (state.falling ? -1 : 1) * compare(a, b) || a - b);
    state.order = chosen;
    turn(0);
  }

  function turn(page) {
    const n = state.order.length;
    const last = Math.max(0, Math.ceil(n / state.size) - 1);
    state.page = Math.min(Math.max(page, 0), last);
    const shown = state.order.slice(state.page * state.size, (state.page + 1) * state.size);
    table.tBodies[0].replaceChildren(...shown.flatMap((i) => state.opened.has(i) ? [rows[i], state.opened.get(i)] : [rows[i]]));
    byId("shown").textContent = n === data.rows.length ? n.toLocaleString("en") + " loci"
      : n.toLocaleString("en") + " of " + data.rows.length.toLocaleString("en") + " loci";
    byId("page").textContent = "Page " + (state.page + 1) + " of " + (last + 1);
    byId("previous").disabled = state.page === 0;
    byId("next").disabled = state.page === last;
    for (const id of ["tsv", "fasta"]) byId(id).disabled = n === 0;
  }

  // ---- a locus

  function toggle(i) {
    const button = rows[i].querySelector("button.open");
    if (state.opened.has(i)) {
      state.opened.get(i).remove();
      state.opened.delete(i);
      button.setAttribute("aria-expanded", "false");
      button.removeAttribute("aria-controls");
      return;
    }
    const row = document.createElement("tr");
    row.className = "opened";
    row.id = "opened-" + i;
    const cell = row.insertCell();
    cell.colSpan = table.tHead.rows[0].cells.length;
    cell.append(byId("locus-" + i).content.cloneNode(true));
    for (const each of cell.querySelectorAll("button[data-copy]")) {
      each.addEventListener("click", () => copy(String(value(i, each.dataset.copy)), cell.querySelector(".copied")));
    }
    state.opened.set(i, row);
    if (rows[i].isConnected) rows[i].after(row);
    button.setAttribute("aria-expanded", "true");
    button.setAttribute("aria-controls", row.id);
  }

  function show(i) {
    if (!state.order.includes(i)) { byId("controls").reset(); refresh(); }
    turn(Math.floor(state.order.indexOf(i) / state.size));
    if (!state.opened.has(i)) toggle(i);
    rows[i].scrollIntoView({ block: "start" });
    rows[i].querySelector("button.open").focus({ preventScroll: true });
  }

  function copy(text, message) {
    const done = () => { message.textContent = "Copied."; setTimeout(() => { message.textContent = ""; }, 2000); };
    const byHand = () => {
      const field = document.createElement("textarea");
      field.value = text;
      document.body.append(field);
      field.select();
      const isDone = document.execCommand("copy");
      field.remove();
      if (isDone) done(); else message.textContent = "This browser does not let pages copy.";
    };
    if (navigator.clipboard) navigator.clipboard.writeText(text).then(done, byHand); else byHand();
  }

  // ---- files of the rows that are shown

  function asTsv() {
    const cell = (each) => each === null ? "" : String(each).replace(/[\t\r\n]/g, " ");
    const lines = state.order.map((i) => data.rows[i].map(cell).join("\t"));
    return [data.columns.join("\t"), ...lines].join("\n") + "\n";
  }

  function asFasta() {
    return state.order.map((i) => ">" + value(i, "locus") + " score=" + value(i, "locus_score") + " q=" + value(i, "q_value")
      + " mfe=" + value(i, "mfe") + "\n" + value(i, "sequence") + "\n").join("");
  }

  function save(name, text, type) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  // ---- charts

  function tooltip(handler, event, item, told) {
    const tip = byId("tip");
    tip.hidden = told === null || told === undefined || told === "";
    if (tip.hidden) return;
    const lines = typeof told === "object" ? Object.entries(told).map(([name, each]) => name + ": " + each) : [String(told)];
    tip.replaceChildren(...lines.flatMap((line, i) => i ? [document.createElement("br"), line] : [line]));
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 8)) + "px";
    tip.style.top = Math.max(4, Math.min(event.clientY + 14, innerHeight - box.height - 8)) + "px";
  }

  function draw(id, spec) {
    const runtime = vega.parse(vegaLite.compile(spec, { logger: vega.logger(vega.Error) }).spec, {}, { ast: true });
    const view = new vega.View(runtime, {
      container: byId("chart-" + id), renderer: "svg", hover: true, expr: vegaInterpreter.expressionInterpreter,
      tooltip: tooltip, logLevel: vega.Error,
    });
    view.addEventListener("click", (event, item) => {
      if (item && item.datum && item.datum.rank) show(item.datum.rank - 1);
    });
    return view.runAsync().then(() => byId("chart-" + id).querySelector("svg").setAttribute("aria-hidden", "true"));
  }

  initTheme();
  if (table) {
    initTable();
    toggle(0);
  }
  const charts = Object.entries(readJson("charts")).map(([id, spec]) => draw(id, spec));
  Promise.all(charts).finally(() => { document.documentElement.dataset.ready = "true"; });
})();
