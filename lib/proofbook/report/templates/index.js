"use strict";
// The page of all runs. Its rows come from the index beside it, a script of one call a run; rows are made for what is in view.
(() => {
  const RECENT = 30; // marks and points of a line: as many runs as fit a phone
  const PAGE = 25; // rows of a group that are made at once
  const form = document.getElementById("pb-filters");
  const place = document.getElementById("pb-groups");
  const signs = new Map([...form.elements.verdict.options].filter((item) => item.value).map((item) => [item.value, item.text.split(" ")[0]]));
  const runs = new Map();
  // A run that was continued is there twice; what it became last counts.
  window.run = (entry) => runs.set(`${entry.environment}/${entry.run_id}`, entry);

  // Environments and when the next finished run of each is due; empty where none has ever finished.
  const due = new Map();
  window.due = (item) => due.set(item.environment, item.by);

  const made = (name, text, values = {}) => {
    const element = Object.assign(document.createElement(name), values);
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const address = (entry) => (entry.has_report ? `${encodeURIComponent(entry.environment)}/${encodeURIComponent(entry.run_id)}/report.html` : "");
  const visible = (text) => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
  const count = (entry) => Object.values(entry.counts).reduce((a, b) => a + b, 0);
  const share = (entry) => (count(entry) ? (entry.counts.pass || 0) / count(entry) : null);
  const time = (entry) => {
    const at = new Date(entry.started);
    return Number.isNaN(at.getTime()) ? "" : `${at.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  };

  const marks = (entries) => {
    const list = made("ol", undefined, { className: "pb-marks", ariaLabel: `Verdicts of the last ${entries.length} runs, oldest first` });
    for (const entry of entries) {
      const item = made("li", undefined, { className: `pb-${entry.verdict}` });
      const what = `${entry.run_id}: ${entry.verdict}: ${visible(entry.sentence)}`;
      const where = address(entry);
      item.append(where ? made("a", signs.get(entry.verdict), { href: where, title: what, ariaLabel: what }) : made("span", signs.get(entry.verdict), { title: what }));
      list.append(item);
    }
    return list;
  };

  // How the share of findings that pass went, as a picture of 120 by 24.
  const line = (entries) => {
    const known = entries.map((entry, n) => [n, share(entry)]).filter(([, value]) => value !== null);
    if (known.length < 2) return [];
    const step = 116 / Math.max(1, entries.length - 1);
    const percent = (value) => `${Math.round(100 * value)}%`;
    const words = `Share of findings that pass, ${known.length} runs: ${percent(known[0][1])} to ${percent(known.at(-1)[1])}`;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    for (const [name, value] of Object.entries({ viewBox: "0 0 120 24", width: 120, height: 24, role: "img", "aria-label": words })) svg.setAttribute(name, value);
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    const points = known.map(([n, value]) => `${(2 + n * step).toFixed(1)},${(22 - 20 * value).toFixed(1)}`).join(" ");
    for (const [name, value] of Object.entries({ points, fill: "none", stroke: "currentColor", "stroke-width": 1.5 })) drawn.setAttribute(name, value);
    svg.append(drawn);
    const paragraph = made("p");
    paragraph.append(svg, " ", made("small", words));
    return [paragraph];
  };

  const row = (entry) => {
    const line = made("tr", undefined, { className: "pb-row" });
    line.dataset.verdict = entry.verdict;
    const name = made("td");
    const where = address(entry);
    name.append(where ? made("a", entry.run_id, { href: where }) : entry.run_id);
    line.append(
      made("td", `${signs.get(entry.verdict)} ${entry.verdict}`, { className: `pb-${entry.verdict}` }),
      made("td", visible(entry.sentence)),
      made("td", count(entry) ? `${entry.counts.pass || 0} of ${count(entry)}` : ""),
      made("td", time(entry)),
      name,
    );
    return line;
  };

  class Group {
    constructor(environment, name, entries) {
      this.entries = entries; // newest first
      this.found = entries;
      this.texts = entries.map((entry) => `${environment} ${name} ${entry.verdict} ${entry.sentence} ${entry.run_id} ${time(entry)}`.toLowerCase());
      this.section = made("section", undefined, { className: "pb-group" });
      const recent = entries.slice(0, RECENT).reverse();
      this.details = made("details");
      this.summary = made("summary");
      const scroll = made("div", undefined, { className: "pb-scroll", tabIndex: 0, role: "region", ariaLabel: `Runs of ${environment}, ${name}` });
      const table = made("table", undefined, { className: "pb-table" });
      const head = table.createTHead().insertRow();
      for (const title of ["Verdict", "In a sentence", "Findings that pass", "Started", "Run"]) head.append(made("th", title, { scope: "col" }));
      this.body = table.createTBody();
      this.more = made("button", undefined, { type: "button", className: "pb-more" });
      this.more.addEventListener("click", () => this.grow());
      this.details.addEventListener("toggle", () => this.draw());
      scroll.append(table);
      this.details.append(this.summary, scroll, this.more);
      const late = overdue(environment) ? [" ", made("span", "overdue", { className: "pb-overdue" })] : [];
      const heading = made("h2", `${environment} · ${name}`);
      heading.append(...late);
      this.section.append(heading, marks(recent), ...line(recent), this.details);
    }

    search(verdict, words) {
      this.found = verdict || words.length ? this.entries.filter((entry, n) => (!verdict || entry.verdict === verdict) && words.every((word) => this.texts[n].includes(word))) : this.entries;
      this.section.hidden = this.found.length === 0;
      this.summary.textContent = this.found.length === 1 ? "1 run" : `${this.found.length} runs`;
      this.draw();
      return this.found.length;
    }

    draw() {
      this.body.replaceChildren();
      if (this.details.open) this.grow();
    }

    grow() {
      const there = this.body.rows.length;
      this.body.append(...this.found.slice(there, there + PAGE).map(row));
      const left = this.found.length - this.body.rows.length;
      this.more.hidden = left === 0;
      this.more.textContent = `Show ${Math.min(PAGE, left)} more of ${left}`;
    }
  }

  // Said by whoever reads the page and when, so that it shows also where nothing runs any more.
  const overdue = (environment) => {
    if (!due.has(environment)) return "";
    const by = due.get(environment);
    if (!by) return `${environment}: overdue: no run has ever finished`;
    return Date.now() > Date.parse(by) ? `${environment}: overdue: a finished run was due by ${by.slice(0, 16).replace("T", " ")} UTC` : "";
  };

  const showOverdue = () => {
    const list = document.getElementById("pb-overdue");
    const lines = [...due.keys()].map(overdue).filter(Boolean);
    list.replaceChildren(...lines.map((text) => made("li", text)));
    list.hidden = lines.length === 0;
  };

  const show = () => {
    showOverdue();
    const named = new Map();
    const sorted = [...runs.values()].sort((a, b) => (a.run_id < b.run_id ? 1 : a.run_id > b.run_id ? -1 : 0));
    for (const entry of sorted) {
      const key = JSON.stringify([entry.environment, entry.case]);
      if (!named.has(key)) named.set(key, []);
      named.get(key).push(entry);
    }
    const groups = [...named.entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, entries]) => {
        const [environment, name] = JSON.parse(key);
        return new Group(environment, name || "no case", entries);
      });
    for (const group of groups) group.details.open = groups.length <= 3;
    place.replaceChildren(...groups.map((group) => group.section));
    document.title = `Proofbook: ${runs.size === 1 ? "1 run" : `${runs.size} runs`}`;
    document.getElementById("pb-none").hidden = runs.size > 0;
    const apply = () => {
      const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
      const found = groups.reduce((sum, group) => sum + group.search(form.elements.verdict.value, words), 0);
      document.getElementById("pb-found").textContent = found === runs.size ? "" : `${found} of ${runs.size} runs shown`;
    };
    form.addEventListener("input", apply);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.hidden = runs.size === 0;
    apply();
  };

  // What is due first, so that it is known when the runs are shown; without either file the rest is shown all the same.
  const load = (source, then) => {
    const script = made("script", undefined, { src: source });
    script.addEventListener("load", then);
    script.addEventListener("error", then);
    document.head.append(script);
  };
  load(form.dataset.due, () => load(form.dataset.index, show));
})();
