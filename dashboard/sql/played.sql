-- played --
-- The plays of a period by item: whole months from the view by month, the days around them from
-- the plays, all time from the sums of the items. An item can have several rows, which are added up.
-- {items} and {id} are the columns of the kind.
SELECT {id} AS id, plays_all, plays_30s, plays_half, plays_done, ms, ms_estimated
FROM reporting.{items}_by_month
WHERE listener = :listener AND NOT :is_all::boolean
  AND listened_month BETWEEN :months_first::date AND :months_last::date
UNION ALL
SELECT {id}, plays_all, plays_30s, plays_half, plays_done, ms, ms_estimated
FROM reporting.{items}
WHERE listener = :listener AND :is_all::boolean
UNION ALL
-- One scan of the plays for both ends, because each scan would hash all tracks again.
SELECT {id}, plays_all, plays_30s, plays_half, plays_done, ms, ms * minutes_are_estimated::integer
FROM reporting.plays
-- A play that no refresh has seen has no id yet.
WHERE listener = :listener AND {id} IS NOT NULL
  AND (
      (ended_at >= (:head_first::date)::timestamp AT TIME ZONE :zone
       AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone)
      OR (ended_at >= (:tail_first::date)::timestamp AT TIME ZONE :zone
          AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone)
  )
