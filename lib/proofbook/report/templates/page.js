"use strict";
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];

  // Charts: the library takes longest, so it is begun first; unpacking goes on beside the rest.
  const packed = document.getElementById("pb-plotly");
  const library = document.getElementById("pb-library");
  const places = all(".pb-figure");
  const bytes = (text) => (Uint8Array.fromBase64 ? Uint8Array.fromBase64(text) : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)));
  const address = async () => {
    if (library) return library.dataset.address;
    const unpacked = new Blob([bytes(packed.textContent.trim())]).stream().pipeThrough(new DecompressionStream("gzip"));
    return URL.createObjectURL(await new Response(unpacked, { headers: { "Content-Type": "text/javascript" } }).blob());
  };
  const load = async () => {
    const script = document.createElement("script");
    script.src = await address();
    await new Promise((done, failed) => {
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    });
  };
  const loading = places.length && (library || (packed && "DecompressionStream" in window)) ? load() : null;
  if (loading) loading.catch(() => undefined);

  // A link to a finding opens it.
  const openTarget = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
    if (target) target.scrollIntoView();
  };
  addEventListener("hashchange", openTarget);

  // Times in the reader's zone, beside those in UTC.
  if (new Date().getTimezoneOffset() !== 0) {
    for (const time of all("time[datetime]")) {
      const here = new Date(time.dateTime);
      if (Number.isNaN(here.getTime())) continue;
      const sameDay = here.getDate() === here.getUTCDate();
      const words = here.toLocaleString(undefined, { ...(sameDay ? {} : { day: "numeric", month: "short" }), hour: "2-digit", minute: "2-digit" });
      time.title = `${words} where you are`;
      if (time.closest(".pb-verdict")) time.append(` (${words} where you are)`);
    }
  }

  // Search and filter.
  const findings = all("details.pb-finding");
  const search = document.getElementById("pb-search");
  const boxes = all('input[name="verdict"]');
  const texts = new Map(findings.map((node) => [node, node.textContent.toLowerCase()]));
  const sections = all(".pb-contents li > a").map((link) => [link, document.getElementById(link.hash.slice(1))]);
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const node of findings) {
      node.hidden = !(wanted.has(node.dataset.verdict) && words.every((word) => texts.get(node).includes(word)));
      shown += !node.hidden;
    }
    for (const group of all(".pb-group")) group.hidden = !group.querySelector("details.pb-finding:not([hidden])");
    for (const [link, section] of sections) {
      const holds = !words.length || (section && words.every((word) => section.textContent.toLowerCase().includes(word)));
      link.parentElement.hidden = !holds && !link.parentElement.querySelector("li:not([hidden])");
    }
    document.getElementById("pb-found").textContent = shown === findings.length ? "" : `${shown} of ${findings.length} findings shown`;
  };
  for (const box of boxes) {
    const count = findings.filter((node) => node.dataset.verdict === box.value).length;
    document.querySelector(`[data-count="${box.value}"]`).textContent = count;
    box.closest("label").hidden = count === 0;
    box.addEventListener("change", apply);
  }
  search.addEventListener("input", apply);
  document.querySelector(".pb-find").hidden = false;
  if (matchMedia("(max-width: 70rem)").matches) document.querySelector(".pb-contents").open = false;
  openTarget();

  // On paper nothing can be opened.
  addEventListener("beforeprint", () => {
    for (const node of findings) if (node.dataset.verdict !== "pass") node.open = true;
  });

  // Tables sort by their headings; long ones have a filter.
  const number = (text) => {
    const found = text.replace(/,/g, "").match(/^[^\d.+-]{0,3}([+-]?\d*\.?\d+(?:e[+-]?\d+)?)/i);
    return found ? Number(found[1]) : NaN;
  };
  const sortable = (table) => {
    const body = table.tBodies[0];
    const heads = table.tHead && table.tHead.rows.length === 1 ? [...table.tHead.rows[0].cells] : [];
    if (!body || body.rows.length < 3 || body.querySelector("[rowspan], [colspan]")) return;
    heads.forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const cell = (row) => (row.cells[column] ? row.cells[column].textContent.trim() : "");
        const rows = [...body.rows];
        const numbers = rows.every((row) => cell(row) === "" || !Number.isNaN(number(cell(row))));
        rows.sort((a, b) => (numbers ? (number(cell(a)) || 0) - (number(cell(b)) || 0) : cell(a).localeCompare(cell(b))));
        body.append(...(down ? rows.reverse() : rows));
      });
    });
    if (body.rows.length < 12) return;
    const label = document.createElement("label");
    label.className = "pb-filter";
    const input = document.createElement("input");
    input.type = "search";
    label.append("Filter rows ", input);
    table.before(label);
    input.addEventListener("input", () => {
      for (const row of body.rows) row.hidden = !row.textContent.toLowerCase().includes(input.value.toLowerCase());
    });
  };
  for (const table of all("table:not(.pb-facts, .pb-controls)")) sortable(table);
  for (const wide of all(".pb-scroll, .output_html, pre")) if (wide.scrollWidth > wide.clientWidth) wide.tabIndex = 0;

  // Charts are drawn when they come into view.
  if (!loading) return;
  const ink = () => getComputedStyle(document.body).color;
  const plot = (place) => {
    if (place.classList.contains("pb-drawn")) return undefined;
    place.classList.add("pb-drawn");
    const figure = JSON.parse(place.querySelector("script").textContent);
    const layout = { ...figure.layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { ...figure.layout.font, color: ink() } };
    return window.Plotly.newPlot(place.querySelector(".pb-plot"), figure.data, layout, { responsive: true, displaylogo: false, displayModeBar: "hover" });
  };
  const draw = async (place) => {
    try {
      await loading;
      await plot(place);
      performance.mark("pb-drawn");
    } catch (problem) {
      // Its words and its table are there; say why the picture is not.
      place.classList.remove("pb-drawn");
      place.querySelector("figcaption").append(` (The chart could not be drawn: ${problem && problem.message ? problem.message : "its library could not be read"}.)`);
    }
  };
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        watch.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "400px" });
  draw(places[0]);
  places.slice(1).forEach((place) => watch.observe(place));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    for (const place of all(".pb-drawn .pb-plot")) window.Plotly.relayout(place, { "font.color": ink() });
  });
  addEventListener("beforeprint", () => {
    if (window.Plotly) for (const place of places) plot(place);
  });
})();
