"use strict";
(() => {
  const packed = document.getElementById("pb-plotly");
  const places = document.querySelectorAll(".pb-figure");
  const openTarget = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const fold = target && target.querySelector("details");
    if (fold) fold.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();
  if (!packed || !("DecompressionStream" in window)) return;
  const load = async () => {
    const bytes = Uint8Array.from(atob(packed.textContent.trim()), (c) => c.charCodeAt(0));
    const text = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    const url = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    await new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = url;
      script.onload = done;
      script.onerror = failed;
      document.head.append(script);
    });
  };
  let loading;
  const draw = async (place) => {
    await (loading ??= load());
    const figure = JSON.parse(place.querySelector("script").textContent);
    const ink = getComputedStyle(document.body).color;
    const layout = { ...figure.layout, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { ...figure.layout.font, color: ink } };
    await window.Plotly.newPlot(place.querySelector(".pb-plot"), figure.data, layout, { responsive: true, displaylogo: false });
    place.classList.add("pb-drawn");
  };
  const watch = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        watch.unobserve(entry.target);
        draw(entry.target);
      }
    }
  }, { rootMargin: "400px" });
  places.forEach((place) => watch.observe(place));
})();
