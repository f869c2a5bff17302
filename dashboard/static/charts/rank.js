// The rank by month, with 1 at the top.
kinds.rank = (data, width, { first, last }) => {
  const rows = data.map((row) => ({ ...row, at: day(row.on) }));
  const greatest = Math.max(5, d3.max(rows, (row) => row.rank));
  const ticks = [1, ...d3.ticks(1, greatest, 4).filter((rank) => rank > 1 + greatest / 20)];
  return Plot.plot(
    frame(width, greatest, {
      height: 200,
      marginRight: 16,
      x: dates(width, [day(first), day(last)]),
      y: { type: greatest > 50 ? "log" : "linear", reverse: true, domain: [1, greatest], label: null, ticks, tickSize: 0, tickFormat: count },
      marks: [
        Plot.gridY({ ticks, stroke: "var(--line)", strokeOpacity: 1 }),
        Plot.lineY(rows, { x: "at", y: "rank", stroke: color.accent, strokeWidth: 2 }),
        Plot.dot(rows, { x: "at", y: "rank", fill: color.accent, r: 3 }),
        pointer(rows, { x: "at", y: "rank", title: (row) => `${monthName(row.at)}\nrank ${count(row.rank)}` }),
      ],
    }),
  );
};
