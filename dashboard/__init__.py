"""The web page over the views of schema `reporting`.

To add a page, here `when`:

1. `sql/when.sql`: named statements, each after a line `-- name --`.
2. `pages/when.py`: `def page(view: View) -> dict[str, Any]` queries with
   `view.ask.rows("when.hours")` and returns the template's variables.
3. `templates/when.html`: extends `base.html`, fills `{% block main %}` with `section.panel` (width
   `w8`, `w6` or `w4` of 12 columns, else full), and calls the macros of `parts.html` as
   `parts.card(…)`. A page without charts of the library Plot leaves `{% block library %}` empty.
4. One line in `pages/__init__.py`.

Statements. Python replaces `{name}` by a column or table, and Postgres binds `:name` to a value.

- `{plays}` is the column of the counting rule, such as plays_30s. `{value}` is the column of the
  measure: `{plays}` or ms. `{measure}` is the same in a query that selects `{plays} AS plays`:
  plays or ms.
- `{played}` and `{played_before}` are subqueries (sql/played.sql): the plays by item (artist, track
  or album) in the period, and in the previous period.
- Other columns are passed from a constant of Python:
  `view.ask.rows("totals.heard_first", {"items": "artists"})`.
- These parameters are always available: `:listener`, `:zone`, `:rule`; `:first` and `:last`, the
  dates of the period, both included; `:before_first` and `:before_last`, those of the previous
  period, which are NULL if there is none, or if over 10 % of the days of either are unknown.
- For views by month the period is split into whole months and the days before and after them:
  `:head_first`, `:head_last`, `:months_first`, `:months_last`, `:tail_first`, `:tail_last`, and the
  same after `:before_`. A bound of an empty part is NULL and matches no row.
- Cast dates, as in `:first::date`, because a parameter has no type.

`reporting.plays` uses its index if the bounds are instants:
`ended_at >= (:first::date)::timestamp AT TIME ZONE :zone
AND ended_at < (:last::date + 1)::timestamp AT TIME ZONE :zone`. Let Postgres compute them, because
the views compute dates with its time zone data.

Links. `view.url("artist", item=7)` and `view.here(sort="name")` keep the listener, the
period, the measure and the rule, because the URL holds all state. `view.args` holds the other
arguments of the URL.

A chart drawn by JavaScript needs
`{% call parts.figure("bars", "What it shows", data, ["Day", "Plays"]) %}`, the rows of its table
and `{% endcall %}`, and a function `kinds.bars = (data, width, options) => svg` in a file of
`static/charts/`. `data` is a dict: its `data` are the rows, `opens` is the address that a click on
a row opens (`DATE` or `MONTH` stands for the row's `on`), and its other keys are `options`.

All files `static/*.css` are joined into `page.css`, and all files of `static/charts/` into
`charts.js`.
"""
