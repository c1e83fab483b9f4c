"""How a report page looks (light and dark, on screen and on paper), and the script that draws its plots.

Promises that neither asks for anything from outside the page.
"""

STYLE = """
:root { color-scheme: light dark; --ink: #0f172a; --soft: #556274; --paper: #f6f7f9; --card: #ffffff; --edge: #e2e8f0;
  --good: #15803d; --bad: #b91c1c; --warn-ink: #7c2d12; --warn: #ffedd5; --accent: #1d4ed8; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa7b8; --paper: #0b1018; --card: #131a24; --edge: #263142;
  --good: #4ade80; --bad: #f87171; --warn-ink: #fed7aa; --warn: #43200f; --accent: #93c5fd; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.75rem; line-height: 1.25; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 0 0 .75rem; }
h3 { font-size: 1rem; margin: 1.25rem 0 .5rem; }
p { margin: .4rem 0; }
.lead, figcaption, .note { color: var(--soft); font-size: .9rem; }
figcaption { margin-top: .35rem; overflow-wrap: anywhere; }
section { background: var(--card); border: 1px solid var(--edge); border-radius: 12px; padding: 1.25rem; margin-top: 1.25rem; }
.mark { display: inline-block; background: var(--warn); color: var(--warn-ink); border-radius: 6px; padding: .15rem .6rem; font-weight: 700;
  letter-spacing: .03em; margin: 0 .4rem .5rem 0; }
.warning { background: var(--warn); color: var(--warn-ink); border-color: transparent; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1.25rem 0 0; padding: 0; }
.tiles > div { background: var(--card); border: 1px solid var(--edge); border-radius: 12px; padding: .8rem 1rem; }
.tiles dt { color: var(--soft); font-size: .82rem; }
.tiles dd { margin: 0; font-size: 1.45rem; font-weight: 650; font-variant-numeric: tabular-nums; line-height: 1.3; }
.tiles small { display: block; font-size: .8rem; font-weight: 400; color: var(--soft); }
.good { color: var(--good); }
.bad { color: var(--bad); }
.verdict { font-size: 1.25rem; font-weight: 700; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: .9rem; padding-bottom: .4rem; }
th, td { padding: .35rem .6rem; border-bottom: 1px solid var(--edge); text-align: left; vertical-align: top; }
thead th { color: var(--soft); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; }
.number { text-align: right; white-space: nowrap; }
.months td, .months th { padding: .3rem .4rem; }
code { font: .85em ui-monospace, SFMono-Regular, Menlo, monospace; overflow-wrap: anywhere; }
figure { margin: 0; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1.25rem; }
summary { cursor: pointer; color: var(--accent); }
@media print {
  :root { --ink: #000; --soft: #444; --paper: #fff; --card: #fff; --edge: #ccc; --good: #14532d; --bad: #7f1d1d; --warn: #fff;
    --warn-ink: #000; --accent: #000; color-scheme: light; }
  main { max-width: none; padding: 0; }
  section, figure, tr, .tiles > div { break-inside: avoid; }
  .warning, .mark { border: 2px solid #000; }
  .modebar-container { display: none; }
}
"""

SCRIPT = """
"use strict";
const dark = matchMedia("(prefers-color-scheme: dark)");
const looks = { light: { ink: "#0f172a", grid: "#e2e8f0" }, dark: { ink: "#e6eaf0", grid: "#263142" } };
function axis(given, look) {
  return Object.assign({ gridcolor: look.grid, zerolinecolor: look.grid, linecolor: look.grid, automargin: true }, given);
}
function draw(look) {
  for (const place of document.querySelectorAll("[data-plot]")) {
    const plot = JSON.parse(document.getElementById(place.dataset.plot).textContent);
    const layout = Object.assign({
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: look.ink, family: "system-ui, sans-serif", size: 12 },
      margin: { l: 8, r: 8, t: 8, b: 8 }, legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" }, hoverlabel: { namelength: -1 },
    }, plot.layout);
    layout.xaxis = axis(plot.layout.xaxis, look);
    layout.yaxis = axis(plot.layout.yaxis, look);
    Plotly.react(place, plot.data, layout, { responsive: true, displaylogo: false });
  }
}
function drawAgain() { draw(dark.matches ? looks.dark : looks.light); }
drawAgain();
dark.addEventListener("change", drawAgain);
addEventListener("beforeprint", () => draw(looks.light));
addEventListener("afterprint", drawAgain);
"""
