// Draws every chart from the JSON beside it. `ast` evaluates Vega's expressions without eval, which the page's policy forbids.
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
    wrapLegends(spec, Math.floor((box.clientWidth - 130) / 6.6));
    const { view } = await vegaEmbed(box, spec, options);
    drawn.push({ box, view, height: view.height() });
  } catch (error) {
    box.textContent = "This figure could not be drawn: " + error.message;
  }
}
// Names in a legend take several lines where one would be wider than the page.
function wrapLegends(part, characters) {
  for (const legend of [part.encoding?.color?.legend, part.encoding?.shape?.legend]) {
    if (legend?.orient === "top") {
      legend.labelExpr = `split(trim(replace(datum.label, regexp('(.{1,${characters}})( |$)', 'g'), '$1\\n')), '\\n')`;
    }
  }
  for (const layer of part.layer ?? []) wrapLegends(layer, characters);
}
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
// On paper charts are drawn anew for the width of their column, else their letters shrink with them. None is higher than wide.
addEventListener("beforeprint", () => {
  for (const { box, view, height } of drawn) {
    const columns = Number(getComputedStyle(box).getPropertyValue("--columns"));
    const width = (690 - 16 * (columns - 1)) / columns;
    view.width(width).height(Math.min(height, width)).run();
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
