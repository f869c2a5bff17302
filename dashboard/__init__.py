"""The web page over the views of schema `reporting`.

To add a page, here `when`:

1. `sql/when.sql`: named statements, each after a line `-- name --`.
2. `pages/when.py`: `def page(view: View) -> dict[str, Any]` asks by
   `view.ask.rows("when.hours")` and returns the variables of the template.
3. `templates/when.html`: extends `base.html`, fills `{% block main %}` with `section.panel` (width
   by `w8`, `w6`, `w4` of 12 columns, else all), and calls the macros of `parts.html` as
   `parts.card(…)`. A page without charts of Plot empties `{% block library %}`.
4. One line in `pages/__init__.py`.

Statements. Values are bound (`:listener`). `{plays}` is the column of the counting rule, such as
plays_30s; `{value}` the column of what is measured, that or ms; `{measure}` the same after
`{plays} AS plays`. Further names come from a fixed table in Python:
`view.ask.rows("totals.heard_first", {"items": "artists"})`. `{played}` and `{played_before}` are
tables of the plays of an item in the period and in the one before (sql/played.sql). These
parameters are always known: `:listener`, `:zone`, `:rule`; `:first` and `:last`, the dates of the
period, both included; `:before_first` and `:before_last`, of the period before, if it can be
compared. For views by month the period is cut into whole months and the days around them:
`:head_first`, `:head_last`, `:months_first`, `:months_last`, `:tail_first`, `:tail_last`, and the
same after `:before_`. A bound without a value is NULL and matches no row. Cast dates, as in
`:first::date`: a parameter has no type of its own.

`reporting.plays` uses its index if bounds are instants:
`ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone`. Postgres computes them, because the
views find the dates by its time zones.

Links. `view.url("artist", item=7)` and `view.here(sort="name")` keep listener, period, measure and
rule, because the URL alone is the state. `view.args` holds the other arguments of the URL.

A chart: `{% call parts.figure("bars", "What it shows", data, ["Day", "Plays"]) %}` rows of a table
`{% endcall %}`, and a function `kinds.bars = (data, width, options) => svg` in a file of
`static/charts/`. `data` is a dict: its `data` are the rows, `opens` is the address that a row opens
(`DATE` or `MONTH` stands for its `on`), all else is `options`. Every file `static/*.css` becomes a
part of `page.css`, every file of `static/charts/` one of `charts.js`.
"""
