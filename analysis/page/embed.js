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
    const { view } = await vegaEmbed(box, spec, options);
    drawn.push({ box, view, height: view.height() });
    await settle(view);
    sight.observe(box);
    addEventListener("resize", () => follow(box, view)); // after Vega's own listener, which gives the chart its width
  } catch (error) {
    box.textContent = "This figure could not be drawn: " + error.message;
  }
}
// A chart makes room for its legends once they have the rows that fit its width, which may then be another.
async function settle(view) {
  await view.resize().runAsync();
  await view.resize().runAsync();
}
// After a change of the window's size a chart in sight, or two screens away from it, settles before the next frame is
// painted, so that none of its names is ever cut; the others settle when the window rests.
const near = new Set();
const late = new Map();
let resting;
const sight = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) isIntersecting ? near.add(target) : near.delete(target);
  },
  { rootMargin: "200% 0px" },
);
function follow(box, view) {
  if (near.has(box)) return settle(view);
  late.set(box, view);
  clearTimeout(resting);
  resting = setTimeout(async () => {
    for (const [box, view] of late) late.delete(box) && (await settle(view));
  }, 200);
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
