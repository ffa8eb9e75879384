"use strict";
(() => {
  const form = document.getElementById("pb-filters");
  const rows = [...document.querySelectorAll("tr[data-verdict]")];
  const texts = new Map(rows.map((row) => [row, `${row.closest(".pb-group").dataset.name} ${row.textContent}`.toLowerCase()]));
  const apply = () => {
    const verdict = form.elements.verdict.value;
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = (verdict && row.dataset.verdict !== verdict) || !words.every((word) => texts.get(row).includes(word));
      shown += !row.hidden;
    }
    for (const group of document.querySelectorAll(".pb-group")) group.hidden = !group.querySelector("tr[data-verdict]:not([hidden])");
    document.getElementById("pb-found").textContent = shown === rows.length ? "" : `${shown} of ${rows.length} runs shown`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = rows.length === 0;
})();
