// Draws every chart from the JSON beside it. `ast` evaluates Vega's expressions without eval, which the page's policy
// forbids.
async function draw(box) {
  const spec = JSON.parse(document.getElementById(box.dataset.chart).textContent);
  const options = {
    renderer: "svg",
    ast: true,
    actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
    downloadFileName: box.dataset.chart,
  };
  try {
    await vegaEmbed(box, spec, options);
  } catch (error) {
    box.textContent = "This figure could not be drawn: " + error.message;
  }
}
// One after the other, with a pause between them: a page of many charts can be read and scrolled while it draws.
(async () => {
  for (const box of document.querySelectorAll("[data-chart]")) {
    await draw(box);
    await new Promise((resume) => setTimeout(resume));
  }
})();
