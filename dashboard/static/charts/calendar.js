// A square for each day: weeks from left to right, weekdays from top to bottom. If the weeks are
// wider than the chart, they wrap into another row, so that squares stay large enough to tap.
kinds.calendar = (data, width) => {
  const left = 30;
  const rows = data.map((row) => ({ ...row, at: day(row.on) }));
  const first = d3.utcMonday(rows[0].at);
  const weeks = d3.utcMonday.count(first, rows.at(-1).at) + 1;
  const bands = Math.max(1, Math.ceil((weeks * 11) / (width - left)));
  const columns = Math.ceil(weeks / bands);
  const size = Math.min(22, (width - left) / columns);
  const greatest = d3.quantile(rows.map((row) => row.value), 0.98) || d3.max(rows, (row) => row.value) || 1;
  const band = 7 * size + 24;
  for (const row of rows) {
    const week = d3.utcMonday.count(first, row.at);
    row.x = left + (week % columns) * size;
    row.y = Math.floor(week / columns) * band + 18 + ((row.at.getUTCDay() + 6) % 7) * size;
  }
  const months = rows.filter((row, index) => row.at.getUTCDate() === 1 || (index === 0 && row.at.getUTCDate() < 20));
  // A name needs a minimum width; the last one must end with the squares.
  const NAME = 24;
  const named = (rows, x, textAnchor) => Plot.text(rows, { x, textAnchor, y: (row) => Math.floor((row.y - 18) / band) * band + 8, text: (row) => d3.utcFormat("%b")(row.at) });
  const weekdays = d3.range(bands).flatMap((each) => [["Mon", 0], ["Thu", 3], ["Sun", 6]].map(([name, at]) => ({ name, y: each * band + 18 + (at + 0.5) * size })));
  const height = bands * band;
  const shade = (row) => (row.value ? `color-mix(in oklab, var(--accent) ${Math.round(15 + 85 * Math.min(1, row.value / greatest))}%, var(--empty))` : color.empty);
  const square = { x1: "x", x2: (row) => row.x + size, y1: "y", y2: (row) => row.y + size, inset: size > 14 ? 1.5 : 1, rx: 2.5 };
  const middle = { x: (row) => row.x + size / 2, y: (row) => row.y + size / 2 };
  return Plot.plot({
    width,
    height,
    margin: 0,
    style: { background: "none", fontSize: "12px" },
    x: { type: "identity", axis: null },
    y: { type: "identity", axis: null },
    marks: [
      Plot.rect(rows, { ...square, fill: shade }),
      Plot.rect(rows.filter((row) => row.missing), { ...square, stroke: color.gap, strokeDasharray: "2 1.5", strokeWidth: 1.5 }),
      named(months.filter((row) => row.x <= width - NAME), "x", "start"),
      named(months.filter((row) => row.x > width - NAME), () => width, "end"),
      Plot.text(weekdays, { x: 0, y: "y", text: "name", textAnchor: "start" }),
      pointerNear(rows, { ...middle, title: (row) => `${dayName(row.at)}\n${row.text}` }),
    ],
  });
};

// A square for each month: months from left to right, years from top to bottom.
kinds.months = (data, width) => {
  const rows = data.map((row) => ({ ...row, at: day(row.on) }));
  const greatest = d3.max(rows, (row) => row.value) || 1;
  const years = [...new Set(rows.map((row) => row.at.getUTCFullYear()))];
  const shade = (row) => (row.value ? `color-mix(in oklab, var(--accent) ${Math.round(15 + 85 * (row.value / greatest))}%, var(--empty))` : color.empty);
  const cell = { x: (row) => row.at.getUTCMonth(), y: (row) => row.at.getUTCFullYear() };
  const initials = (month) => d3.utcFormat("%b")(new Date(Date.UTC(2000, month))).slice(0, width < 420 ? 1 : 3);
  return Plot.plot({
    width,
    height: 30 + years.length * 26,
    marginLeft: 40,
    marginRight: 0,
    marginTop: 4,
    marginBottom: 24,
    style: { background: "none", fontSize: "12px" },
    x: { type: "band", domain: d3.range(12), tickFormat: initials, tickSize: 0, label: null, padding: 0.08 },
    y: { type: "band", domain: years, tickFormat: String, tickSize: 0, label: null, padding: 0.12 },
    marks: [
      Plot.cell(rows, { ...cell, fill: shade, rx: 3 }),
      Plot.cell(rows.filter((row) => row.missing), { ...cell, stroke: color.gap, strokeDasharray: "2 1.5", strokeWidth: 1.5, rx: 3 }),
      pointerNear(rows, { ...cell, title: (row) => `${monthName(row.at)}\n${row.text}` }),
    ],
  });
};
