-- totals --
SELECT sum(plays_all)::bigint AS plays, sum(skips)::bigint AS skips,
       sum(skips_known)::bigint AS known
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :before_first AND :before_last

-- times --
SELECT listened_month, hour, sum(plays_all)::bigint AS plays, sum(skips)::bigint AS skips,
       sum(skips_known)::bigint AS known
FROM reporting.listening_by_hour
WHERE listener = :listener AND listened_date BETWEEN :first AND :last
GROUP BY GROUPING SETS ((), (listened_month), (hour))
ORDER BY listened_month, hour

-- artists --
-- Whole months come from the view by month, the days around them from the plays, all time from the
-- sums of the artists.
WITH part AS (
    SELECT artist_id, skips, skips_known
    FROM reporting.artists_by_month
    WHERE listener = :listener AND NOT :is_all::boolean
      AND listened_month BETWEEN :months_first AND :months_last
    UNION ALL
    SELECT artist_id, skips, skips_known
    FROM reporting.artists
    WHERE listener = :listener AND :is_all::boolean
    UNION ALL
    SELECT artist_id, is_skip::integer, (is_skip IS NOT NULL)::integer
    FROM reporting.plays
    WHERE listener = :listener
      AND (
          (ended_at >= :head_first::date::timestamp AT TIME ZONE :zone
           AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone)
          OR (ended_at >= :tail_first::date::timestamp AT TIME ZONE :zone
              AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone)
      )
),
counted AS (
    SELECT artist_id, coalesce(sum(skips::integer), 0) AS skips, sum(skips_known::integer) AS known
    FROM part
    GROUP BY artist_id
    HAVING sum(skips_known::integer) >= :least
),
-- Names only break ties, so few of them are read.
ranked AS (
    SELECT *, rank() OVER (ORDER BY skips::float8 / known DESC, known DESC) AS most_rank,
           rank() OVER (ORDER BY skips::float8 / known, known DESC) AS fewest_rank
    FROM counted
),
placed AS (
    SELECT artist_id, artist_name, ranked.skips, known,
           row_number() OVER (ORDER BY most_rank, artist_name COLLATE "C") AS most,
           row_number() OVER (ORDER BY fewest_rank, artist_name COLLATE "C") AS fewest
    FROM ranked
    JOIN reporting.artists USING (artist_id)
    WHERE listener = :listener AND least(most_rank, fewest_rank) <= :most_rows
)
SELECT artist_id, artist_name, skips, known, most, fewest
FROM placed
WHERE most <= :most_rows OR fewest <= :most_rows

-- how --
-- Whole months come from the view by month, the days around them from the plays.
WITH part AS (
    SELECT platform, country, reason_start, reason_end, shuffle, offline, context_type,
           plays_all, skips, skips_known
    FROM reporting.where_and_how
    WHERE listener = :listener AND listened_month BETWEEN :months_first AND :months_last
    UNION ALL
    SELECT platform, country, reason_start, reason_end, shuffle, offline, context_type,
           1, is_skip::integer, (is_skip IS NOT NULL)::integer
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= :head_first::date::timestamp AT TIME ZONE :zone
      AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone
    UNION ALL
    SELECT platform, country, reason_start, reason_end, shuffle, offline, context_type,
           1, is_skip::integer, (is_skip IS NOT NULL)::integer
    FROM reporting.plays
    WHERE listener = :listener
      AND ended_at >= :tail_first::date::timestamp AT TIME ZONE :zone
      AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone
)
SELECT platform, country, reason_start, reason_end, shuffle, offline, context_type,
       grouping(platform, country, reason_start, reason_end, shuffle, offline, context_type) AS set,
       sum(plays_all)::bigint AS plays, sum(skips)::bigint AS skips, sum(skips_known)::bigint AS known
FROM part
GROUP BY GROUPING SETS (
    (platform), (country), (reason_start), (reason_end), (shuffle), (offline), (context_type)
)
ORDER BY plays DESC
