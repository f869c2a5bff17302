// A bar for each day with the mean of 7 days as a line, or a bar for each month.
kinds.bars = (data, width, { byDay }) => {
  const rows = data.map((row) => ({ ...row, at: day(row.on) }));
  const interval = byDay ? d3.utcDay : d3.utcMonth;
  const greatest = d3.max(rows, (row) => row.value) || 1;
  const name = byDay ? dayName : monthName;
  const ends = (row) => interval.offset(row.at, 1);
  const gap = width / rows.length > 4 ? 0.8 : 0;
  const ticks = Math.min(4, Math.ceil(greatest)); // a play has no fractions
  return Plot.plot(
    frame(width, greatest, {
      height: 230,
      x: dates(width, [rows[0].at, ends(rows.at(-1))]),
      y: { label: null, ticks, tickSize: 0, domain: [0, greatest], nice: true, tickFormat: count },
      marks: [
        Plot.gridY({ ticks, stroke: "var(--line)", strokeOpacity: 1 }),
        Plot.rectY(rows, { x1: "at", x2: ends, y: "value", fill: byDay ? color.bar : color.accent, insetLeft: gap, insetRight: gap, rx: byDay ? 0 : 2 }),
        Plot.rectY(rows.filter((row) => row.missing), { x1: "at", x2: ends, y1: 0, y2: greatest, fill: color.gap, fillOpacity: 0.16 }),
        byDay ? Plot.lineY(rows, { x: (row) => d3.utcHour.offset(row.at, 12), y: "mean", stroke: color.accent, strokeWidth: 2, curve: "monotone-x" }) : null,
        pointer(rows, {
          x: (row) => new Date((+row.at + +ends(row)) / 2),
          y: "value",
          title: (row) => [name(row.at), row.text, row.meanText && `mean of 7 days: ${row.meanText}`].filter(Boolean).join("\n"),
        }),
      ],
    }),
  );
};
