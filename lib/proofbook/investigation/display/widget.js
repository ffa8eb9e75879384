// The lanes of a look with a brush over them. Text comes from a log: it is set as text and never as HTML.
const SVG = "http://www.w3.org/2000/svg";
const HIGH = 28;

function make(tag, given = {}, ...inside) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...inside.map((part) => (part instanceof Node ? part : document.createTextNode(part))));
  return node;
}

function drawn(tag, given) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(given)) node.setAttribute(name, value);
  return node;
}

function bars(lane) {
  return lane.values
    .map((value, at) => (value ? `M${at} ${HIGH}v-${Math.max(1.5, ((HIGH - 3) * value) / lane.most).toFixed(2)}h1V${HIGH}z` : ""))
    .join("");
}

// A line through the middle of each bucket that has a value, begun anew after one that has none.
function line(values, most) {
  let pen = "M";
  return values
    .map((value, at) => {
      if (value === null) { pen = "M"; return ""; }
      const step = `${pen}${at + 0.5} ${(HIGH - ((HIGH - 3) * value) / most).toFixed(1)}`;
      pen = "L";
      return step;
    })
    .join("");
}

function picture(lane, view) {
  const svg = drawn("svg", { viewBox: `0 0 ${view.buckets} ${HIGH}`, width: "100%", height: HIGH, preserveAspectRatio: "none", role: "img", "aria-label": `${lane.title}: ${lane.count}` });
  const thin = { fill: "none", stroke: "currentColor", "vector-effect": "non-scaling-stroke" };
  for (const [began, ended] of view.unknown) svg.append(drawn("path", { d: `M${began} 0H${ended}V${HIGH}H${began}z`, fill: "currentColor", "fill-opacity": 0.18 }));
  if (lane.kind === "latency") {
    svg.append(drawn("path", { ...thin, d: line(lane.values, lane.most), "stroke-width": 1.5 }));
    svg.append(drawn("path", { ...thin, d: line(lane.second, lane.most), "stroke-dasharray": "2 2" }));
  } else svg.append(drawn("path", { d: bars(lane), class: `pb-${lane.kind}` }));
  svg.append(drawn("path", { ...thin, d: `M0 ${HIGH - 0.5}H${view.buckets}`, "stroke-opacity": 0.35 }));
  for (const event of view.events) svg.append(drawn("path", { ...thin, d: `M${event.at} 0V${HIGH}`, "stroke-dasharray": "3 3" }));
  return svg;
}

function clock(view, bucket) {
  const text = new Date(view.first_ms + bucket * view.width_ms).toISOString();
  return view.days ? text.slice(5, 16).replace("T", " ") : text.slice(11, view.width_ms < 1000 ? 23 : 19);
}

function render({ model, el }) {
  const view = model.get("view");
  const said = make("span", { role: "status", class: "pb-told" });
  const code = make("code", {});
  const chips = make("span", {});
  const below = make("div", {});
  const shade = make("div", { class: "pb-brush", hidden: "" });
  const plot = make("div", { class: "pb-over", tabindex: 0, role: "group", "aria-label": "Time window. Arrows move it, with shift they widen and narrow it, Enter copies its code, Escape clears it.", "aria-describedby": "" }, shade);
  const lanes = make("div", { class: "pb-lanes" });
  let brush = model.get("brush");
  let waiting = null;

  const tell = (text) => { said.textContent = text; };
  const send = (name, value) => { model.set(name, value); model.save_changes(); };
  const copy = async () => {
    try { await navigator.clipboard.writeText(code.textContent); tell("copied"); }
    catch { getSelection().selectAllChildren(code); tell("selected: copy it with Ctrl+C"); }
  };
  const shown = () => {
    shade.hidden = brush.length !== 2;
    if (shade.hidden) return;
    const [from, to] = [Math.min(...brush), Math.max(...brush)];
    shade.style.left = `${(100 * from) / view.buckets}%`;
    shade.style.width = `${(100 * (to - from)) / view.buckets}%`;
    tell(`${clock(view, from)} to ${clock(view, to)}`);
  };
  // The kernel is asked once the hand rests for a moment, and not at every step.
  const select = (buckets, wait = 0) => {
    brush = buckets;
    shown();
    clearTimeout(waiting);
    waiting = setTimeout(() => send("brush", brush), wait);
  };
  const pick = (name, value) => {
    const rest = model.get("picks").filter((pair) => pair[0] !== name || pair[1] !== value);
    send("picks", rest.length < model.get("picks").length ? rest : [...rest, [name, value]]);
  };

  const place = (event) => {
    const box = plot.getBoundingClientRect();
    return Math.round(Math.min(1, Math.max(0, (event.clientX - box.left) / box.width)) * view.buckets);
  };
  let from = null;
  plot.addEventListener("pointerdown", (event) => { if (event.button) return; from = place(event); plot.setPointerCapture(event.pointerId); });
  plot.addEventListener("pointermove", (event) => { if (from !== null) { brush = [from, place(event)]; shown(); } });
  plot.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const to = place(event);
    select(from === to ? [] : [Math.min(from, to), Math.max(from, to)]);
    from = null;
  });
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
    const wide = Math.max(1, Math.round(view.buckets / 20));
    if (event.key === "Enter") copy();
    else if (event.key === "Escape") select([]);
    else if (step === undefined) return;
    else if (brush.length !== 2) select([view.buckets - wide, view.buckets], 60);
    else {
      let [a, b] = [Math.min(...brush), Math.max(...brush)];
      if (event.shiftKey) b = Math.min(view.buckets, Math.max(a + 1, b + step));
      else { const by = Math.min(view.buckets - b, Math.max(-a, step)); a += by; b += by; }
      select([a, b], 60);
    }
    event.preventDefault();
    event.stopPropagation();
  });

  for (const lane of view.lanes) {
    const title = lane.pick ? make("button", { title: lane.title, onclick: () => pick(...lane.pick) }, lane.title) : make("span", { title: lane.title }, lane.title);
    lanes.append(make("div", { class: "pb-lane" }, make("div", { class: "pb-name" }, title, " ", make("small", {}, lane.count)), picture(lane, view)));
  }
  const times = make("div", { class: "pb-times" }, ...[0, 1, 2, 3, 4].map((part) => make("span", {}, clock(view, Math.round((view.buckets * part) / 4)))));
  lanes.append(plot);

  const facet = (item) => {
    const picks = model.get("picks");
    const rows = item.values.map((value) => {
      const is = picks.some((pair) => pair[0] === item.name && pair[1] === value.text);
      const text = value.text.length > 60 ? `${value.text.slice(0, 59)}…` : value.text;
      const cell = value.whole ? make("button", { title: value.text, "aria-pressed": is, onclick: () => pick(item.name, value.text) }, text) : make("span", { title: value.text }, text);
      return make("tr", {}, make("td", {}, cell), make("td", {}, value.n.toLocaleString("en")), make("td", {}, value.wrong ? `${value.wrong.toLocaleString("en")} wrong` : ""));
    });
    if (item.more > 0) rows.push(make("tr", {}, make("td", { colspan: 3 }, `${item.more.toLocaleString("en")} more`)));
    return make("table", {}, make("caption", {}, item.name), make("tbody", {}, ...rows));
  };
  const entry = ([wrong, at, severity, what, of, call]) => {
    const to = () => { code.textContent = name() + call; tell("this entry"); };
    return make("tr", {}, make("td", {}, wrong ? make("b", {}, "✘") : ""), make("td", {}, make("button", { title: call, onclick: to }, at)), ...[severity, what, of].map((text) => make("td", {}, text)));
  };
  const name = () => model.get("below").code.match(/^\w+/)?.[0] ?? "look";
  const follow = () => {
    const told = model.get("below");
    code.textContent = told.code;
    tell(told.problem);
    chips.replaceChildren(...model.get("picks").map(([field, value]) => make("button", { class: "pb-chip", title: "take it back", onclick: () => pick(field, value) }, `${field} = ${value.slice(0, 40)} ✕`)));
    below.replaceChildren(
      make("p", { class: "pb-head" }, told.head),
      make("div", { class: "pb-facets" }, ...told.facets.map(facet)),
      make("details", { open: "" }, make("summary", {}, `${told.lines.length} entries, what went wrong first`), make("div", { class: "pb-lines", tabindex: 0 }, make("table", {}, make("tbody", {}, ...told.lines.map(entry))))),
    );
  };
  const again = () => { brush = model.get("brush"); shown(); };

  // JupyterLab takes arrows and Enter for its own, unless it is told to leave them.
  const root = make("div", { class: "pb-look pb-live tex2jax_ignore mathjax_ignore", "data-lm-suppress-shortcuts": "true" },
    lanes, make("div", { class: "pb-lane" }, make("div", { class: "pb-name" }), times),
    ...view.events.map((event) => make("div", { class: "pb-event" }, `┊ ${event.text}`)),
    make("p", { class: "pb-code-line" }, make("button", { class: "pb-copy", onclick: copy }, "Copy"), " ", code, " ", said), chips, below);
  el.append(root);
  shown();
  follow();
  model.on("change:below", follow);
  model.on("change:brush", again);
  return () => { model.off("change:below", follow); model.off("change:brush", again); };
}

export default { render };
