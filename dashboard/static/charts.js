// Draws each <figure class="chart" data-chart="kind"> with Observable Plot, in the available width.
//
// A kind is a function in `kinds`: (data, width) => an SVG element of Plot. The data are the JSON of
// the figure. A click on a datum opens its `href`, which the figure's `opens` can set. The table
// below the figure has the same links for the keyboard.
"use strict";

const kinds = {};

// The colours of page.css; "currentColor" is the colour of labels.
const color = { accent: "var(--accent)", bar: "var(--bar)", line: "var(--line)", gap: "var(--gap)", empty: "var(--empty)" };

const day = (text) => new Date(`${text}T00:00:00Z`);
const dayName = d3.utcFormat("%a %-d %b %Y");
const monthName = d3.utcFormat("%b %Y");
const count = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 1 }).format;

// The options that all charts share. Plot cuts labels of the y axis unless the margin grows.
function frame(width, greatest, options) {
  return {
    width,
    marginLeft: Math.max(28, 12 + 7 * count(Math.round(greatest)).length),
    marginRight: 8,
    marginTop: 12,
    marginBottom: 26,
    style: { background: "none", fontSize: "12px" },
    ...options,
  };
}

// The x axis of dates: months of one year by name, else years; as many as have room.
function dates(width, domain) {
  const months = d3.utcMonth.count(...domain);
  const days = d3.utcDay.count(...domain);
  const room = Math.max(2, Math.floor(width / 64));
  const [interval, format, number] = days <= 62 ? [d3.utcDay, "%-d %b", days] : months <= 24 ? [d3.utcMonth, months > 13 ? "%b %y" : "%b", months] : [d3.utcYear, "%Y", months / 12];
  const ticks = interval.every(1).range(...domain).filter((_, index) => index % Math.ceil(number / room) === 0);
  return { type: "utc", domain, label: null, ticks, tickFormat: d3.utcFormat(format), tickSize: 0 };
}

// The tooltip at the pointer; it stays inside the chart.
const box = { fill: "var(--panel)", stroke: "var(--line)", textPadding: 10, lineHeight: 1.35, fontSize: 12 };
const pointer = (data, options) => Plot.tip(data, Plot.pointerX({ ...box, ...options }));
const pointerNear = (data, options) => Plot.tip(data, Plot.pointer({ ...box, ...options }));

function draw(figure) {
  const width = Math.floor(figure.clientWidth);
  if (!width || figure.drawn === width) return;
  figure.drawn = width;
  const { data, ...options } = JSON.parse(figure.querySelector("script").textContent);
  // The address of a datum is `opens`, with DATE or MONTH replaced.
  for (const datum of options.opens ? data : []) datum.href = options.opens.replace("DATE", datum.on).replace("MONTH", datum.on.slice(0, 7));
  const svg = kinds[figure.dataset.chart](data, width, options);
  // The figure has an accessible name. Screen readers would read the names of Plot's marks too.
  for (const mark of svg.querySelectorAll("[aria-label]")) mark.removeAttribute("aria-label");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", figure.getAttribute("aria-label"));
  svg.addEventListener("click", () => svg.value?.href && location.assign(svg.value.href));
  svg.addEventListener("input", () => figure.classList.toggle("linked", Boolean(svg.value?.href)));
  figure.querySelector("svg")?.remove();
  figure.append(svg);
}

const resized = new ResizeObserver((entries) => requestAnimationFrame(() => entries.forEach((entry) => draw(entry.target))));

function start() {
  for (const figure of document.querySelectorAll("figure.chart")) {
    draw(figure);
    resized.observe(figure);
  }
}

// Draw after the scripts that follow, because they add their kinds.
document.addEventListener("DOMContentLoaded", start);
