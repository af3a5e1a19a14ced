// Draws every chart from the JSON beside it. `ast` evaluates Vega's expressions without eval, which the page's policy forbids.
for (const box of document.querySelectorAll("[data-chart]")) {
  const spec = JSON.parse(document.getElementById(box.dataset.chart).textContent);
  const options = {
    renderer: "svg",
    ast: true,
    actions: { export: { svg: true, png: true }, source: false, compiled: false, editor: false },
    downloadFileName: box.dataset.chart,
  };
  vegaEmbed(box, spec, options).catch((error) => {
    box.textContent = "This figure could not be drawn: " + error.message;
  });
}
