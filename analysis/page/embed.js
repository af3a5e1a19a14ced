// Draws every chart from the JSON beside it. `ast` evaluates Vega's expressions without eval, which the page's policy
// forbids.
const drawn = [];
async function draw(box) {
  const spec = JSON.parse(document.getElementById(box.dataset.chart).textContent);
  const options = {
    renderer: "svg",
    ast: true,
    actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
    downloadFileName: box.dataset.chart,
  };
  try {
    fitLegends(spec);
    const { view } = await vegaEmbed(box, spec, options);
    drawn.push({ box, view, height: view.height() });
    await settle(view);
  } catch (error) {
    box.textContent = "This figure could not be drawn: " + error.message;
  }
}
// Legends are no wider than the chart, also when it changes: names take several lines, and keys several rows.
const characters = "max(12, floor((width - 14) / 6.6))";
function fitLegends(part) {
  for (const { legend, scale } of [part.encoding?.color, part.encoding?.shape].filter((each) => each?.legend)) {
    if (legend.orient === "top") {
      const longest = Math.max(...scale.domain.map((name) => name.length));
      const lines = `regexp('(.{1,' + ${characters} + '})( |$)', 'g')`;
      legend.labelExpr = `split(trim(replace(datum.label, ${lines}, '$1\\n')), '\\n')`;
      legend.rowPadding = { expr: `2 + 14 * (ceil(${longest} / ${characters}) - 1)` };
    }
    if (legend.columns > 1) legend.columns = { expr: "max(1, floor(width / 52))" };
  }
  for (const layer of part.layer ?? []) fitLegends(layer);
}
// A chart makes room for its legends once they have the rows that fit its width, which may then be another.
async function settle(view) {
  await view.resize().runAsync();
  await view.resize().runAsync();
}
let settling;
addEventListener("resize", () => {
  clearTimeout(settling);
  settling = setTimeout(async () => {
    for (const { view } of drawn) await settle(view);
  }, 200);
});
// Of a figure of frames one is shown, the one to which its slider points.
for (const slider of document.querySelectorAll(".slider input")) {
  const panels = slider.closest("figure").querySelectorAll(".panel");
  const show = () => {
    panels.forEach((panel, k) => panel.classList.toggle("shown", k === Number(slider.value)));
    slider.setAttribute("aria-valuetext", panels[slider.value].querySelector("h4").textContent);
  };
  slider.addEventListener("input", show);
  show();
}
// On paper charts are drawn anew for the width of their column, else their letters shrink with them.
addEventListener("beforeprint", () => {
  for (const { box, view, height } of drawn) {
    const style = getComputedStyle(box);
    const [columns, aspect] = ["--columns", "--aspect"].map((name) => Number(style.getPropertyValue(name)));
    const width = (690 - 16 * (columns - 1)) / columns;
    view.width(width).height(Math.min(height, aspect * width)).run();
    view.resize().run();
  }
});
addEventListener("afterprint", () => {
  for (const { view, height } of drawn) view.height(height);
  dispatchEvent(new Event("resize"));
});
// One after the other, with a pause between them: a page of many charts can be read and scrolled while it draws.
(async () => {
  for (const box of document.querySelectorAll("[data-chart]")) {
    await draw(box);
    await new Promise((resume) => setTimeout(resume));
  }
})();
