-- The latest milestones are found without the earlier ones, and names are read for them alone.

CREATE OR REPLACE VIEW reporting.milestones AS
-- The sessions say near which play a milestone is. Milestones come in descending order, so that a
-- query for the latest ones stops early; names are read only for the play found.
SELECT s.listener, s.milestone, p.ended_at AS reached_at, p.listened_date, p.artist_name, p.track_name
FROM (
    SELECT part.listener, g.milestone, part.first_ended_at, part.ended_at,
           g.milestone - part.before - 1 AS plays_before
    FROM (
        SELECT listener, first_ended_at, ended_at, plays - plays_30s AS before, plays
        FROM (
            SELECT *, sum(plays_30s) OVER (PARTITION BY listener ORDER BY first_ended_at)::bigint AS plays
            FROM derived.session_part
        ) counted
    ) part
    CROSS JOIN LATERAL (
        SELECT unnest(ARRAY[1, 100, 500, 1000, 5000]) AS milestone
        UNION ALL
        SELECT generate_series((part.before / 10000 + 1) * 10000, part.plays, 10000)::integer
    ) g
    WHERE (part.before < 5000 OR part.before / 10000 < part.plays / 10000)
      AND g.milestone > part.before AND g.milestone <= part.plays
    ORDER BY milestone DESC
) s
CROSS JOIN LATERAL (
    SELECT ended_at, track_uri
    FROM reporting.plays
    WHERE listener = s.listener
      AND ended_at BETWEEN s.first_ended_at AND s.ended_at
      AND plays_30s = 1
    ORDER BY ended_at, track_uri COLLATE "C"
    OFFSET s.plays_before
    LIMIT 1
) nth
-- One play has this end and track; the limit keeps Postgres from joining all plays.
CROSS JOIN LATERAL (
    SELECT ended_at, listened_date, artist_name, track_name
    FROM reporting.plays
    WHERE listener = s.listener AND ended_at = nth.ended_at AND track_uri = nth.track_uri
    LIMIT 1
) p;
