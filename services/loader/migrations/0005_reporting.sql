CREATE VIEW derived.month AS
SELECT listener, listened_month, count(DISTINCT listened_date) AS days_with_plays,
       sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
       sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
       sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
       sum(skips)::bigint AS skips, sum(skips_known)::bigint AS skips_known
FROM derived.hour
GROUP BY listener, listened_month;

CREATE VIEW derived.listener AS
SELECT l.listener, z.time_zone, l.first_known_at,
       (SELECT min(h.played_at) FROM listening_history h WHERE h.listener = l.listener) AS first_played_at,
       l.last_played_at, l.last_polled_at,
       (greatest(l.last_played_at, l.last_polled_at) AT TIME ZONE z.time_zone)::date AS last_known_on,
       (now() AT TIME ZONE z.time_zone)::date AS today
FROM reporting.listener l
CROSS JOIN LATERAL (
    SELECT coalesce(
        (SELECT s.time_zone FROM listener_setting s WHERE s.listener = l.listener), 'UTC'
    ) AS time_zone
) z;

CREATE VIEW derived.known AS
-- As in reporting.data_health: what was watched or uploaded, less the open gaps.
SELECT l.listener, m.missed, o.observed - m.missed AS known
FROM reporting.listener l
CROSS JOIN LATERAL (
    SELECT coalesce(
        range_agg(tstzrange(started_at, greatest(started_at, coalesce(ended_at, now())))), '{}'
    ) AS missed
    FROM reporting.open_gap
    WHERE listener = l.listener
) m
CROSS JOIN LATERAL (
    SELECT coalesce(range_agg(tstzrange(started_at, greatest(started_at, ended_at))), '{}') AS observed
    FROM (
        SELECT span.started_at, span.ended_at
        FROM import_report r
        CROSS JOIN LATERAL jsonb_to_recordset(r.spans)
            AS span (started_at timestamptz, ended_at timestamptz)
        WHERE r.listener = l.listener
          AND r.batches = (SELECT count(*) FROM loaded_batch b WHERE b.origin = r.origin)
        UNION ALL
        SELECT l.first_polled_at, l.last_polled_at
        WHERE l.first_polled_at IS NOT NULL
    ) seen
) o;

CREATE VIEW derived.period AS
SELECT listener, 'month' AS unit, listened_month AS begins_on,
       (listened_month + interval '1 month')::date AS ends_on,
       (listened_month - interval '1 month')::date AS previous_on
FROM derived.month
UNION ALL
SELECT DISTINCT listener, 'year', date_trunc('year', listened_month)::date,
       (date_trunc('year', listened_month) + interval '1 year')::date,
       (date_trunc('year', listened_month) - interval '1 year')::date
FROM derived.month;

CREATE VIEW derived.review AS
SELECT p.listener, p.unit, p.begins_on,
       total.*, heard.*, new.*, top.*, busiest.*, previous.*, previously_heard.*
FROM derived.period p
LEFT JOIN LATERAL (
    SELECT sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
           sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
           sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
           count(DISTINCT listened_date) AS days_with_plays,
           round(sum(skips)::numeric / nullif(sum(skips_known), 0), 4) AS skip_rate
    FROM derived.hour h
    WHERE h.listener = p.listener AND h.listened_date >= p.begins_on AND h.listened_date < p.ends_on
) total ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE kind = 'artist') AS artists,
           count(*) FILTER (WHERE kind = 'track') AS tracks,
           count(*) FILTER (WHERE kind = 'album') AS albums
    FROM (
        SELECT DISTINCT kind, item_id
        FROM derived.item_month m
        WHERE m.listener = p.listener AND m.listened_month >= p.begins_on AND m.listened_month < p.ends_on
    ) item
) heard ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE kind = 'artist') AS new_artists,
           count(*) FILTER (WHERE kind = 'track') AS new_tracks
    FROM derived.item i
    WHERE i.listener = p.listener AND i.first_month >= p.begins_on AND i.first_month < p.ends_on
) new ON true
LEFT JOIN LATERAL (
    SELECT max(name) FILTER (WHERE kind = 'artist') AS top_artist,
           max(plays) FILTER (WHERE kind = 'artist') AS top_artist_plays,
           max(name) FILTER (WHERE kind = 'track') AS top_track,
           max(artist) FILTER (WHERE kind = 'track') AS top_track_artist,
           max(plays) FILTER (WHERE kind = 'track') AS top_track_plays,
           max(name) FILTER (WHERE kind = 'album') AS top_album,
           max(artist) FILTER (WHERE kind = 'album') AS top_album_artist
    FROM (
        SELECT DISTINCT ON (first.kind) first.kind, n.name, a.name AS artist, first.plays
        FROM (
            SELECT kind, item_id, artist_id, sum(plays_30s)::bigint AS plays,
                   rank() OVER (PARTITION BY kind ORDER BY sum(plays_30s) DESC, sum(ms) DESC) AS place
            FROM derived.item_month m
            WHERE m.listener = p.listener
              AND m.listened_month >= p.begins_on AND m.listened_month < p.ends_on
            GROUP BY kind, item_id, artist_id
        ) first
        LEFT JOIN derived.name n ON n.item_id = first.item_id
        LEFT JOIN derived.name a ON a.item_id = first.artist_id
        WHERE first.place = 1
        ORDER BY first.kind, n.name COLLATE "C", a.name COLLATE "C"
    ) best
) top ON true
LEFT JOIN LATERAL (
    SELECT (array_agg(listened_date ORDER BY ms DESC, listened_date))[1] AS busiest_date,
           round(max(ms) / 60000.0, 2) AS busiest_date_minutes
    FROM (
        SELECT listened_date, sum(ms) AS ms
        FROM derived.hour h
        WHERE h.listener = p.listener AND h.listened_date >= p.begins_on AND h.listened_date < p.ends_on
        GROUP BY listened_date
    ) day
) busiest ON true
LEFT JOIN LATERAL (
    SELECT sum(plays_all)::bigint AS previous_plays_all, sum(plays_30s)::bigint AS previous_plays_30s,
           sum(plays_half)::bigint AS previous_plays_half, sum(plays_done)::bigint AS previous_plays_done,
           round(sum(ms) / 60000.0, 2) AS previous_minutes
    FROM derived.hour h
    WHERE h.listener = p.listener AND h.listened_date >= p.previous_on AND h.listened_date < p.begins_on
) previous ON true
LEFT JOIN LATERAL (
    SELECT nullif(count(*) FILTER (WHERE kind = 'artist'), 0) AS previous_artists,
           nullif(count(*) FILTER (WHERE kind = 'track'), 0) AS previous_tracks
    FROM (
        SELECT DISTINCT kind, item_id
        FROM derived.item_month m
        WHERE m.listener = p.listener
          AND m.listened_month >= p.previous_on AND m.listened_month < p.begins_on
    ) item
) previously_heard ON true;

CREATE VIEW reporting.listening_by_hour AS
SELECT listener, listened_date, listened_month, hour,
       extract(isodow FROM listened_date)::integer AS weekday,
       plays_all, plays_30s, plays_half, plays_done, ms, ms_estimated,
       round(ms / 60000.0, 2) AS minutes, round(ms_estimated / 60000.0, 2) AS minutes_estimated,
       skips, skips_known
FROM derived.hour;

CREATE VIEW reporting.listening_daily AS
SELECT d.listener, d.listened_date, date_trunc('month', d.listened_date)::date AS listened_month,
       extract(isodow FROM d.listened_date)::integer AS weekday,
       coalesce(h.plays_all, 0) AS plays_all, coalesce(h.plays_30s, 0) AS plays_30s,
       coalesce(h.plays_half, 0) AS plays_half, coalesce(h.plays_done, 0) AS plays_done,
       coalesce(h.ms, 0) AS ms, coalesce(h.ms_estimated, 0) AS ms_estimated,
       round(coalesce(h.ms, 0) / 60000.0, 2) AS minutes,
       round(coalesce(h.ms_estimated, 0) / 60000.0, 2) AS minutes_estimated,
       coalesce(h.skips, 0) AS skips, coalesce(h.skips_known, 0) AS skips_known,
       round(k.known_s / d.elapsed_s, 4) AS coverage,
       g.open_gap_s > 0 AS has_open_gap,
       k.known_s < d.elapsed_s AND g.open_gap_s > 0 AS is_at_least
FROM (
    SELECT l.listener, midnight::date AS listened_date, known.missed, known.known, begins_at, ends_at,
           -- Never 0, which a day is in its first instant.
           greatest(1, extract(epoch FROM ends_at - begins_at)) AS elapsed_s
    FROM derived.listener l
    JOIN derived.known USING (listener)
    CROSS JOIN LATERAL generate_series(
        date_trunc('day', l.first_known_at AT TIME ZONE l.time_zone),
        greatest(now(), l.last_played_at) AT TIME ZONE l.time_zone,
        interval '1 day'
    ) AS midnight
    CROSS JOIN LATERAL (
        SELECT midnight AT TIME ZONE l.time_zone AS begins_at,
               greatest(midnight AT TIME ZONE l.time_zone,
                        least(now(), (midnight + interval '1 day') AT TIME ZONE l.time_zone)) AS ends_at
    ) t
) d
LEFT JOIN (
    SELECT listener, listened_date,
           sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
           sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
           sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated,
           sum(skips)::bigint AS skips, sum(skips_known)::bigint AS skips_known
    FROM derived.hour
    GROUP BY listener, listened_date
) h USING (listener, listened_date)
LEFT JOIN LATERAL (
    SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r))), 0) AS open_gap_s
    FROM unnest(d.missed * tstzmultirange(tstzrange(d.begins_at, d.ends_at))) AS r
) g ON true
LEFT JOIN LATERAL (
    SELECT coalesce(sum(extract(epoch FROM upper(r) - lower(r))), 0) AS known_s
    FROM unnest(d.known * tstzmultirange(tstzrange(d.begins_at, d.ends_at))) AS r
) k ON true;

CREATE VIEW reporting.artists_by_month AS
SELECT m.listener, m.listened_month, n.name AS artist_name, m.item_id AS artist_id,
       m.plays_all, m.plays_30s, m.plays_half, m.plays_done, m.ms, m.ms_estimated,
       round(m.ms / 60000.0, 2) AS minutes, round(m.ms_estimated / 60000.0, 2) AS minutes_estimated,
       m.tracks, m.skips, m.skips_known
FROM derived.item_month m
LEFT JOIN derived.name n ON n.item_id = m.item_id
WHERE m.kind = 'artist';

CREATE VIEW reporting.tracks_by_month AS
SELECT m.listener, m.listened_month, a.name AS artist_name, n.name AS track_name,
       m.item_id AS track_id, m.artist_id,
       m.plays_all, m.plays_30s, m.plays_half, m.plays_done, m.ms, m.ms_estimated,
       round(m.ms / 60000.0, 2) AS minutes, round(m.ms_estimated / 60000.0, 2) AS minutes_estimated,
       m.most_in_a_day, m.most_in_a_day_on, m.skips, m.skips_known
FROM derived.item_month m
LEFT JOIN derived.name n ON n.item_id = m.item_id
LEFT JOIN derived.name a ON a.item_id = m.artist_id
WHERE m.kind = 'track';

CREATE VIEW reporting.albums_by_month AS
SELECT m.listener, m.listened_month, a.name AS artist_name, n.name AS album_name,
       m.item_id AS album_id, m.artist_id,
       m.plays_all, m.plays_30s, m.plays_half, m.plays_done, m.ms, m.ms_estimated,
       round(m.ms / 60000.0, 2) AS minutes, round(m.ms_estimated / 60000.0, 2) AS minutes_estimated,
       m.tracks
FROM derived.item_month m
LEFT JOIN derived.name n ON n.item_id = m.item_id
LEFT JOIN derived.name a ON a.item_id = m.artist_id
WHERE m.kind = 'album';

CREATE VIEW reporting.artists AS
SELECT i.listener, n.name AS artist_name, i.item_id AS artist_id,
       i.plays_all, i.plays_30s, i.plays_half, i.plays_done, i.ms, i.ms_estimated,
       round(i.ms / 60000.0, 2) AS minutes, round(i.ms_estimated / 60000.0, 2) AS minutes_estimated,
       i.first_heard_at, i.last_heard_at, i.first_heard_on, i.last_heard_on,
       i.last_heard_on - i.first_heard_on AS days_between, i.months_heard, i.most_in_a_month,
       (SELECT count(*)
        FROM derived.item t
        WHERE t.listener = i.listener AND t.artist_id = i.item_id AND t.kind = 'track'
       ) AS tracks
FROM derived.item i
LEFT JOIN derived.name n ON n.item_id = i.item_id
WHERE i.kind = 'artist';

CREATE VIEW reporting.tracks AS
SELECT i.listener, a.name AS artist_name, n.name AS track_name, i.item_id AS track_id, i.artist_id,
       i.plays_all, i.plays_30s, i.plays_half, i.plays_done, i.ms, i.ms_estimated,
       round(i.ms / 60000.0, 2) AS minutes, round(i.ms_estimated / 60000.0, 2) AS minutes_estimated,
       i.first_heard_at, i.last_heard_at, i.first_heard_on, i.last_heard_on,
       i.last_heard_on - i.first_heard_on AS days_between, i.months_heard, i.most_in_a_month,
       i.most_in_a_day, i.most_in_a_day_on,
       (SELECT max(h.track_uri COLLATE "C")
        FROM listening_history h
        JOIN derived.track t USING (track_uri)
        WHERE h.listener = i.listener AND h.played_at = i.last_heard_at AND t.track_id = i.item_id
       ) AS track_uri
FROM derived.item i
LEFT JOIN derived.name n ON n.item_id = i.item_id
LEFT JOIN derived.name a ON a.item_id = i.artist_id
WHERE i.kind = 'track';

CREATE VIEW reporting.albums AS
SELECT i.listener, a.name AS artist_name, n.name AS album_name, i.item_id AS album_id, i.artist_id,
       i.plays_all, i.plays_30s, i.plays_half, i.plays_done, i.ms, i.ms_estimated,
       round(i.ms / 60000.0, 2) AS minutes, round(i.ms_estimated / 60000.0, 2) AS minutes_estimated,
       i.first_heard_at, i.last_heard_at, i.first_heard_on, i.last_heard_on,
       i.last_heard_on - i.first_heard_on AS days_between, i.months_heard, i.most_in_a_month
FROM derived.item i
LEFT JOIN derived.name n ON n.item_id = i.item_id
LEFT JOIN derived.name a ON a.item_id = i.artist_id
WHERE i.kind = 'album';

CREATE VIEW reporting.artist_rank_by_month AS
SELECT m.listener, m.listened_month, n.name AS artist_name, m.item_id AS artist_id,
       m.plays_all, m.plays_30s, m.plays_half, m.plays_done, m.ms, m.ms_estimated,
       round(m.ms / 60000.0, 2) AS minutes, round(m.ms_estimated / 60000.0, 2) AS minutes_estimated,
       m.rank_all, m.rank_30s, m.rank_half, m.rank_done, m.rank_minutes
FROM derived.item_month m
LEFT JOIN derived.name n ON n.item_id = m.item_id
WHERE m.kind = 'artist';

CREATE VIEW reporting.track_rank_by_month AS
SELECT m.listener, m.listened_month, a.name AS artist_name, n.name AS track_name,
       m.item_id AS track_id, m.artist_id,
       m.plays_all, m.plays_30s, m.plays_half, m.plays_done, m.ms, m.ms_estimated,
       round(m.ms / 60000.0, 2) AS minutes, round(m.ms_estimated / 60000.0, 2) AS minutes_estimated,
       m.rank_all, m.rank_30s, m.rank_half, m.rank_done, m.rank_minutes
FROM derived.item_month m
LEFT JOIN derived.name n ON n.item_id = m.item_id
LEFT JOIN derived.name a ON a.item_id = m.artist_id
WHERE m.kind = 'track';

CREATE VIEW reporting.discovery AS
SELECT m.listener, m.listened_month,
       h.artists, f.artists AS new_artists, h.tracks, f.tracks AS new_tracks,
       h.albums, f.albums AS new_albums, m.plays_all,
       f.artist_plays AS plays_of_new_artists, f.track_plays AS plays_of_new_tracks
FROM derived.month m
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE kind = 'artist') AS artists,
           count(*) FILTER (WHERE kind = 'track') AS tracks,
           count(*) FILTER (WHERE kind = 'album') AS albums
    FROM derived.item_month i
    WHERE i.listener = m.listener AND i.listened_month = m.listened_month
) h ON true
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE kind = 'artist') AS artists,
           count(*) FILTER (WHERE kind = 'track') AS tracks,
           count(*) FILTER (WHERE kind = 'album') AS albums,
           coalesce(sum(first_month_plays) FILTER (WHERE kind = 'artist'), 0)::bigint AS artist_plays,
           coalesce(sum(first_month_plays) FILTER (WHERE kind = 'track'), 0)::bigint AS track_plays
    FROM derived.item i
    WHERE i.listener = m.listener AND i.first_month = m.listened_month
) f ON true;

CREATE VIEW reporting.streaks AS
-- Dates that count and dates nobody knows, in runs of consecutive ones: within a run a date less
-- its place in the order is the same. A run is a streak from its first date that counts to its last.
SELECT listener, counting_rule,
       min(listened_date) FILTER (WHERE counts) AS first_date,
       max(listened_date) FILTER (WHERE counts) AS last_date,
       count(*) FILTER (WHERE counts) AS days,
       count(*) FILTER (WHERE NOT counts AND listened_date BETWEEN first_counted AND last_counted) AS unknown_days,
       max(listened_date) >= min(today) - 1 AS is_current
FROM (
    SELECT listener, counting_rule, listened_date, counts, today,
           min(listened_date) FILTER (WHERE counts) OVER run AS first_counted,
           max(listened_date) FILTER (WHERE counts) OVER run AS last_counted,
           run
    FROM (
        SELECT listener, r.counting_rule, d.listened_date, r.plays > 0 AS counts, l.today,
               d.listened_date - (row_number() OVER (
                   PARTITION BY listener, r.counting_rule ORDER BY d.listened_date
               ))::integer AS run
        FROM reporting.listening_daily d
        JOIN derived.listener l USING (listener)
        CROSS JOIN LATERAL (
            VALUES ('all', plays_all), ('30s', plays_30s), ('half', plays_half), ('done', plays_done)
        ) AS r (counting_rule, plays)
        WHERE r.plays > 0 OR d.has_open_gap
    ) dated
    WINDOW run AS (PARTITION BY listener, counting_rule, run)
) runs
GROUP BY listener, counting_rule, run
HAVING bool_or(counts);

CREATE VIEW reporting.sessions AS
SELECT s.listener, s.started_at, s.ended_at, started_at_local,
       started_at_local::date AS listened_date,
       date_trunc('month', started_at_local)::date AS listened_month,
       extract(hour FROM started_at_local)::integer AS hour,
       extract(isodow FROM started_at_local)::integer AS weekday,
       plays_all, plays_30s, plays_half, plays_done, ms, ms_estimated,
       round(ms / 60000.0, 2) AS minutes, round(ms_estimated / 60000.0, 2) AS minutes_estimated,
       round(extract(epoch FROM s.ended_at - s.started_at) / 60, 2) AS length_minutes
FROM (
    SELECT listener, session,
           min(started_at) AS started_at,
           max(ended_at) AS ended_at,
           sum(plays_all)::bigint AS plays_all, sum(plays_30s)::bigint AS plays_30s,
           sum(plays_half)::bigint AS plays_half, sum(plays_done)::bigint AS plays_done,
           sum(ms)::bigint AS ms, sum(ms_estimated)::bigint AS ms_estimated
    FROM (
        SELECT *, count(*) FILTER (WHERE started_at IS NOT NULL) OVER (
                      PARTITION BY listener ORDER BY first_ended_at
                  ) AS session
        FROM derived.session_part
    ) part
    GROUP BY listener, session
) s
LEFT JOIN listener_setting z ON z.listener = s.listener
CROSS JOIN LATERAL (
    SELECT s.started_at AT TIME ZONE coalesce(z.time_zone, 'UTC') AS started_at_local
) l;

CREATE VIEW reporting.skips_by_month AS
SELECT listener, listened_month, plays_all, skips, skips_known,
       round(skips::numeric / nullif(skips_known, 0), 4) AS skip_rate
FROM derived.month;

CREATE VIEW reporting.where_and_how AS
SELECT listener, listened_month, platform, country, reason_start, reason_end, shuffle, offline,
       incognito, context_type,
       plays_all, plays_30s, plays_half, plays_done, ms, ms_estimated,
       round(ms / 60000.0, 2) AS minutes, round(ms_estimated / 60000.0, 2) AS minutes_estimated,
       skips, skips_known
FROM derived.how;

CREATE VIEW reporting.mood_by_hour AS
SELECT listener, listened_month, hour, plays_all, plays_with_features,
       round(plays_with_features::numeric / plays_all, 4) AS features_coverage,
       round(danceability_sum / nullif(danceability_plays * 1000000.0, 0), 4) AS danceability,
       round(energy_sum / nullif(energy_plays * 1000000.0, 0), 4) AS energy,
       round(valence_sum / nullif(valence_plays * 1000000.0, 0), 4) AS valence,
       round(acousticness_sum / nullif(acousticness_plays * 1000000.0, 0), 4) AS acousticness,
       round(instrumentalness_sum / nullif(instrumentalness_plays * 1000000.0, 0), 4) AS instrumentalness,
       round(speechiness_sum / nullif(speechiness_plays * 1000000.0, 0), 4) AS speechiness,
       round(liveness_sum / nullif(liveness_plays * 1000000.0, 0), 4) AS liveness,
       round(loudness_sum / nullif(loudness_plays * 1000000.0, 0), 4) AS loudness,
       round(tempo_sum / nullif(tempo_plays * 1000000.0, 0), 4) AS tempo,
       round(mode_sum::numeric / nullif(mode_plays, 0), 4) AS share_major
FROM derived.mood;

CREATE VIEW reporting.mood_by_month AS
SELECT listener, listened_month, sum(plays_all)::bigint AS plays_all,
       sum(plays_with_features)::bigint AS plays_with_features,
       round(sum(plays_with_features) / sum(plays_all), 4) AS features_coverage,
       round(sum(danceability_sum) / nullif(sum(danceability_plays) * 1000000, 0), 4) AS danceability,
       round(sum(energy_sum) / nullif(sum(energy_plays) * 1000000, 0), 4) AS energy,
       round(sum(valence_sum) / nullif(sum(valence_plays) * 1000000, 0), 4) AS valence,
       round(sum(acousticness_sum) / nullif(sum(acousticness_plays) * 1000000, 0), 4) AS acousticness,
       round(sum(instrumentalness_sum) / nullif(sum(instrumentalness_plays) * 1000000, 0), 4) AS instrumentalness,
       round(sum(speechiness_sum) / nullif(sum(speechiness_plays) * 1000000, 0), 4) AS speechiness,
       round(sum(liveness_sum) / nullif(sum(liveness_plays) * 1000000, 0), 4) AS liveness,
       round(sum(loudness_sum) / nullif(sum(loudness_plays) * 1000000, 0), 4) AS loudness,
       round(sum(tempo_sum) / nullif(sum(tempo_plays) * 1000000, 0), 4) AS tempo,
       round(sum(mode_sum) / nullif(sum(mode_plays), 0), 4) AS share_major
FROM derived.mood
GROUP BY listener, listened_month;

CREATE VIEW reporting.diversity AS
SELECT d.listener, d.listened_month, d.artists, d.tracks, d.albums, d.plays_all,
       -- Of artists that share the tenth place not all are among the ten.
       (SELECT round((sum(m.plays_all) - (count(*) - least(count(*), 10)) * min(m.plays_all)) / d.plays_all, 4)
        FROM derived.item_month m
        WHERE m.listener = d.listener AND m.listened_month = d.listened_month
          AND m.kind = 'artist' AND m.rank_all <= 10
       ) AS top10_artists_share,
       round(d.tracks::numeric / nullif(d.artists, 0), 4) AS tracks_per_artist,
       round(d.plays_all::numeric / nullif(d.tracks, 0), 4) AS plays_per_track,
       round(d.new_tracks::numeric / nullif(d.tracks, 0), 4) AS new_tracks_share
FROM reporting.discovery d;

CREATE VIEW reporting.obsessions AS
SELECT m.listener, m.listened_month, m.most_in_a_day_on AS listened_date,
       a.name AS artist_name, n.name AS track_name, m.item_id AS track_id, m.artist_id,
       m.most_in_a_day AS plays_all
FROM derived.item_month m
LEFT JOIN derived.name n ON n.item_id = m.item_id
LEFT JOIN derived.name a ON a.item_id = m.artist_id
WHERE m.kind = 'track' AND m.most_in_a_day >= 5;

CREATE VIEW reporting.forgotten_favourites AS
SELECT i.listener, a.name AS artist_name, n.name AS track_name, i.item_id AS track_id, i.artist_id,
       i.plays_all, round(i.ms / 60000.0, 2) AS minutes, i.last_heard_on,
       l.last_known_on - i.last_heard_on AS days_since
FROM derived.item i
JOIN derived.listener l USING (listener)
LEFT JOIN derived.name n ON n.item_id = i.item_id
LEFT JOIN derived.name a ON a.item_id = i.artist_id
WHERE i.kind = 'track' AND i.plays_30s >= 20 AND i.last_heard_on <= l.last_known_on - 365;

CREATE VIEW reporting.month_review AS
SELECT r.listener, r.begins_on AS listened_month,
       r.plays_all, r.plays_30s, r.plays_half, r.plays_done, r.ms, r.ms_estimated,
       round(r.ms / 60000.0, 2) AS minutes, round(r.ms_estimated / 60000.0, 2) AS minutes_estimated,
       r.days_with_plays, r.artists, r.tracks, r.albums, r.new_artists, r.new_tracks,
       r.top_artist, r.top_artist_plays, r.top_track, r.top_track_artist, r.top_track_plays,
       r.top_album, r.top_album_artist, r.skip_rate, r.busiest_date, r.busiest_date_minutes,
       r.previous_plays_all, r.previous_plays_30s, r.previous_plays_half, r.previous_plays_done,
       r.previous_minutes, r.previous_artists, r.previous_tracks
FROM derived.review r
WHERE r.unit = 'month';

CREATE VIEW reporting.year_review AS
SELECT r.listener, extract(year FROM r.begins_on)::integer AS listened_year,
       r.plays_all, r.plays_30s, r.plays_half, r.plays_done, r.ms, r.ms_estimated,
       round(r.ms / 60000.0, 2) AS minutes, round(r.ms_estimated / 60000.0, 2) AS minutes_estimated,
       r.days_with_plays, r.artists, r.tracks, r.albums, r.new_artists, r.new_tracks,
       r.top_artist, r.top_artist_plays, r.top_track, r.top_track_artist, r.top_track_plays,
       r.top_album, r.top_album_artist, r.skip_rate, r.busiest_date, r.busiest_date_minutes,
       r.previous_plays_all, r.previous_plays_30s, r.previous_plays_half, r.previous_plays_done,
       r.previous_minutes, r.previous_artists, r.previous_tracks
FROM derived.review r
WHERE r.unit = 'year';

CREATE VIEW reporting.milestones AS
-- The sessions say near which play a milestone is.
SELECT s.listener, g.milestone, p.ended_at AS reached_at, p.listened_date, p.artist_name, p.track_name
FROM (
    SELECT listener, first_ended_at, ended_at, plays - plays_30s AS before, plays
    FROM (
        SELECT *, sum(plays_30s) OVER (PARTITION BY listener ORDER BY first_ended_at)::bigint AS plays
        FROM derived.session_part
    ) counted
) s
CROSS JOIN LATERAL (
    SELECT unnest(ARRAY[1, 100, 500, 1000, 5000]) AS milestone
    UNION ALL
    SELECT generate_series((s.before / 10000 + 1) * 10000, s.plays, 10000)::integer
) g
CROSS JOIN LATERAL (
    SELECT ended_at, listened_date, artist_name, track_name
    FROM reporting.plays
    WHERE listener = s.listener
      AND ended_at BETWEEN s.first_ended_at AND s.ended_at
      AND plays_30s = 1
    ORDER BY ended_at, track_uri COLLATE "C"
    OFFSET g.milestone - s.before - 1
    LIMIT 1
) p
WHERE (s.before < 5000 OR s.before / 10000 < s.plays / 10000)
  AND g.milestone > s.before AND g.milestone <= s.plays;

CREATE VIEW reporting.together AS
SELECT i.listener, o.listener AS other_listener, n.name AS artist_name, i.item_id AS artist_id,
       i.plays_all, o.plays_all AS other_plays_all,
       round(i.ms / 60000.0, 2) AS minutes, round(o.ms / 60000.0, 2) AS other_minutes
FROM derived.item i
JOIN derived.item o ON o.kind = 'artist' AND o.item_id = i.item_id AND o.listener <> i.listener
LEFT JOIN derived.name n ON n.item_id = i.item_id
WHERE i.kind = 'artist';

CREATE VIEW reporting.freshness AS
SELECT l.listener, l.time_zone, l.first_played_at, l.last_played_at, l.last_polled_at,
       (SELECT max(b.loaded_at) FROM loaded_batch b WHERE b.listener = l.listener) AS last_loaded_at,
       (SELECT count(*) FROM derived.waiting_month m WHERE m.listener = l.listener) AS marked_months,
       (SELECT round(sum(h.ms_estimated) / nullif(sum(h.ms), 0), 4)
        FROM derived.hour h WHERE h.listener = l.listener) AS estimated_share,
       (SELECT count(*) FROM reporting.open_gap g WHERE g.listener = l.listener) AS open_gaps
FROM derived.listener l;

COMMENT ON VIEW reporting.plays IS 'One row per play, skips included. Its days, months and hours are those of the listener''s own time zone, and a play belongs to the instant it ended. Names are in their best-known spelling.';
COMMENT ON VIEW reporting.listening_by_hour IS 'One row per listener, date and hour with plays.';
COMMENT ON VIEW reporting.listening_daily IS 'One row per listener and date from the first known play or poll to today, dates without plays included.';
COMMENT ON VIEW reporting.artists_by_month IS 'One row per listener, month and artist heard in it.';
COMMENT ON VIEW reporting.tracks_by_month IS 'One row per listener, month and track heard in it. One recording under several uris is one track if artist and title are the same.';
COMMENT ON VIEW reporting.albums_by_month IS 'One row per listener, month and album heard in it; plays without an album are in none.';
COMMENT ON VIEW reporting.artists IS 'One row per listener and artist ever heard. Genres are not here, because no source of this pipeline knows them.';
COMMENT ON VIEW reporting.tracks IS 'One row per listener and track ever heard. Years of release are not here, because no source of this pipeline knows them.';
COMMENT ON VIEW reporting.albums IS 'One row per listener and album ever heard.';
COMMENT ON VIEW reporting.artist_rank_by_month IS 'The rank of each artist within a listener''s month, by each counting rule and by minutes. Equal counts share a rank.';
COMMENT ON VIEW reporting.track_rank_by_month IS 'The rank of each track within a listener''s month, by each counting rule and by minutes. Equal counts share a rank.';
COMMENT ON VIEW reporting.discovery IS 'One row per listener and month with plays: how much of it was heard for the first time. Every play counts, skips too.';
COMMENT ON VIEW reporting.streaks IS 'Runs of consecutive dates with at least one play that counts, for each counting rule. A date in an open gap without such a play is unknown: it neither breaks a streak nor lengthens it.';
COMMENT ON VIEW reporting.sessions IS 'One row per session: plays with pauses of at most 30 minutes between the end of one and the start of the next. A session belongs to the date and month of its start.';
COMMENT ON VIEW reporting.skips_by_month IS 'One row per listener and month: how many plays were skipped, of those for which this is known.';
COMMENT ON VIEW reporting.where_and_how IS 'Plays by device, country, reasons, modes and context, one row per listener, month and combination. NULL is unknown: only exports know most of it.';
COMMENT ON VIEW reporting.mood_by_month IS 'How the music of a month sounds: averages over plays, each over the plays of which the feature is known. To average several months, weigh by plays_with_features.';
COMMENT ON VIEW reporting.mood_by_hour IS 'How the music of an hour of the day sounds in each month: averages over plays, each over the plays of which the feature is known. To average several rows, weigh by plays_with_features.';
COMMENT ON VIEW reporting.diversity IS 'One row per listener and month with plays: how varied it was. Every play counts, skips too.';
COMMENT ON VIEW reporting.obsessions IS 'The date of a month on which a track was played most, for tracks with at least 5 plays on it; of several such dates the first.';
COMMENT ON VIEW reporting.forgotten_favourites IS 'Tracks with at least 20 plays of 30 s that were not heard in the 365 days before the last date that is known.';
COMMENT ON VIEW reporting.month_review IS 'One row per listener and month with plays: its sums and favourites, and the month before.';
COMMENT ON VIEW reporting.year_review IS 'One row per listener and year with plays: its sums and favourites, and the year before.';
COMMENT ON VIEW reporting.milestones IS 'The 1st, 100th, 500th, 1,000th, 5,000th and each 10,000th play of at least 30 s.';
COMMENT ON VIEW reporting.together IS 'One row per pair of listeners and artist that both have heard; each pair is there both ways.';
COMMENT ON VIEW reporting.freshness IS 'One row per listener: how recent the history is, and what the reports wait for.';
COMMENT ON VIEW reporting.data_health IS 'One row per listener and day (UTC) from the first known play or poll to today: how much is known, from whom, and for how much of the day somebody watched. The last days come in milliseconds, all of 1,000,000 plays in about six seconds.';

-- A column means the same in every view; where it does not, the view is named.
DO $$
DECLARE
    col record;
BEGIN
    FOR col IN
        WITH meaning (view_name, column_name, meaning) AS (VALUES
            ('', 'listener', 'Short name given at deployment. Source: this pipeline.'),
            ('', 'listened_date', 'Date in the listener''s time zone. Source: played_at, listener_setting.'),
            ('', 'listened_month', 'First date of the month in the listener''s time zone. Source: played_at, listener_setting.'),
            ('', 'listened_year', 'Year in the listener''s time zone. Source: played_at, listener_setting.'),
            ('', 'hour', 'Hour of the day in the listener''s time zone, 0 to 23. Source: played_at, listener_setting.'),
            ('', 'weekday', 'Day of the week in the listener''s time zone, 1 = Monday to 7 = Sunday. Source: played_at, listener_setting.'),
            ('', 'artist_name', 'Name of the artist: of the track where the API has ever named it, else of the album; the spelling that most of its tracks carry. Source: listening_history.'),
            ('', 'album_name', 'Name of the album, in the spelling that most of its tracks carry; NULL when unknown. Source: listening_history.'),
            ('', 'track_name', 'Name of the track, in its most common spelling. Source: listening_history.'),
            ('', 'artist_id', 'Number of the artist, the same in every view: a hash of the name without its case. Source: this view.'),
            ('', 'album_id', 'Number of the album, the same in every view: a hash of the names of artist and album without their case. Source: this view.'),
            ('', 'track_id', 'Number of the track, the same in every view: a hash of the names of artist and track without their case. Source: this view.'),
            ('', 'plays_all', 'Plays, skips included. Source: listening_history.'),
            ('', 'plays_30s', 'Those of them that lasted at least 30 s, as Spotify counts. Source: this view.'),
            ('', 'plays_half', 'Those of them that lasted at least half the track or 4 minutes, of tracks of at least 30 s, as Last.fm counts; a track of unknown length is taken for 210 s. Source: this view.'),
            ('', 'plays_done', 'Those of them that lasted to the end: Spotify says so, or at most 2 s of a known length are missing. Source: this view.'),
            ('plays', 'plays_all', '1: each play counts. Source: this view.'),
            ('plays', 'plays_30s', '1 if it lasted at least 30 s, as Spotify counts; else 0. Source: this view.'),
            ('plays', 'plays_half', '1 if it lasted at least half the track or 4 minutes, and the track is at least 30 s long, as Last.fm counts; else 0. A track of unknown length is taken for 210 s. Source: this view.'),
            ('plays', 'plays_done', '1 if it lasted to the end: Spotify says so, or at most 2 s of a known length are missing; else 0. Source: this view.'),
            ('', 'ms', 'Time listened, milliseconds, estimates included. Source: ms_played, else an estimate.'),
            ('', 'ms_estimated', 'The part of ms that is an estimate, milliseconds. Source: this view.'),
            ('', 'minutes', 'Time listened, minutes, estimates included; add up ms instead for an exact sum. Source: ms_played, else an estimate.'),
            ('', 'minutes_estimated', 'The part of minutes that is an estimate. Source: this view.'),
            ('plays', 'minutes_are_estimated', 'Whether ms and minutes are an estimate, because the API never says how long a play lasted: the length of the track (210 s if unknown) or the time since the play before ended, whichever is less, but at least 30 s. Source: this view.'),
            ('plays', 'listened_at_local', 'END of the play in the listener''s time zone, without its zone. Source: played_at, listener_setting.'),
            ('plays', 'started_at', 'Start of the play, an instant in UTC: ended_at less ms. Source: this view.'),
            ('plays', 'ended_at', 'END of the play, an instant in UTC. Source: played_at.'),
            ('', 'track_uri', 'Spotify URI of the track. Source: listening_history.'),
            ('tracks', 'track_uri', 'Spotify URI of the track that was played last; one track may have several. Source: listening_history.'),
            ('plays', 'is_skip', 'Whether it was skipped: it lasted less than 30 s or Spotify calls it skipped; NULL when unknown, because only exports know it. Source: ms_played, skipped.'),
            ('plays', 'length_ms', 'Length of the track, milliseconds; NULL when unknown. Source: listening_history, else track_features.'),
            ('plays', 'source', 'recently-played (API), extended-history (export), or both. Source: this pipeline.'),
            ('plays', 'context_uri', 'Spotify URI of the playlist, album or artist it was played from; often NULL. Source: listening_history.'),
            ('where_and_how', 'context_type', 'What it was played from: playlist, album, artist, collection, show and the like; NULL when unknown. Source: context_uri.'),
            ('', 'skips', 'Plays known to be skipped. Source: ms_played, skipped.'),
            ('', 'skips_known', 'Plays of which it is known whether they were skipped, the others being live plays. Source: source.'),
            ('', 'skip_rate', 'Share of skips in skips_known, 0 to 1; NULL where none is known. Source: this view.'),
            ('listening_daily', 'coverage', 'Share of the elapsed date in which no play is missing, 0 to 1. Source: import_report, poll, gap.'),
            ('listening_daily', 'has_open_gap', 'Whether an open gap overlaps the date: plays may be missing. Source: gap.'),
            ('listening_daily', 'is_at_least', 'Whether the counts are a lower bound, because an open gap overlaps the date. Source: gap.'),
            ('', 'artists', 'Artists heard. Source: this view.'),
            ('', 'tracks', 'Tracks heard. Source: this view.'),
            ('', 'albums', 'Albums heard. Source: this view.'),
            ('artists', 'tracks', 'Tracks of the artist that were heard. Source: this view.'),
            ('artists_by_month', 'tracks', 'Tracks of the artist that were heard in the month. Source: this view.'),
            ('albums_by_month', 'tracks', 'Tracks of the album that were heard in the month. Source: this view.'),
            ('', 'new_artists', 'Artists heard for the first time ever. Source: this view.'),
            ('', 'new_tracks', 'Tracks heard for the first time ever. Source: this view.'),
            ('', 'new_albums', 'Albums heard for the first time ever. Source: this view.'),
            ('discovery', 'plays_of_new_artists', 'Plays of artists first heard in this month. Source: this view.'),
            ('discovery', 'plays_of_new_tracks', 'Plays of tracks first heard in this month. Source: this view.'),
            ('', 'most_in_a_day', 'Most plays of the track on one date, skips included. Source: this view.'),
            ('', 'most_in_a_day_on', 'That date; of several the first. Source: this view.'),
            ('', 'most_in_a_month', 'Most plays in one month, skips included. Source: this view.'),
            ('', 'first_heard_at', 'END of the first play, an instant in UTC. Source: played_at.'),
            ('', 'last_heard_at', 'END of the last play, an instant in UTC. Source: played_at.'),
            ('', 'first_heard_on', 'Date of the first play in the listener''s time zone. Source: played_at, listener_setting.'),
            ('', 'last_heard_on', 'Date of the last play in the listener''s time zone. Source: played_at, listener_setting.'),
            ('', 'days_between', 'Days from first_heard_on to last_heard_on. Source: this view.'),
            ('', 'months_heard', 'Months with at least one play. Source: this view.'),
            ('', 'rank_all', 'Rank within the month by plays_all, from 1. Source: this view.'),
            ('', 'rank_30s', 'Rank within the month by plays_30s, from 1. Source: this view.'),
            ('', 'rank_half', 'Rank within the month by plays_half, from 1. Source: this view.'),
            ('', 'rank_done', 'Rank within the month by plays_done, from 1. Source: this view.'),
            ('', 'rank_minutes', 'Rank within the month by time listened, from 1. Source: this view.'),
            ('streaks', 'counting_rule', 'Which plays count: all, 30s, half or done, as in the columns plays_…. Source: this view.'),
            ('streaks', 'first_date', 'First date with a play that counts. Source: this view.'),
            ('streaks', 'last_date', 'Last date with a play that counts. Source: this view.'),
            ('streaks', 'days', 'Dates with a play that counts. Source: this view.'),
            ('streaks', 'unknown_days', 'Dates between the first and the last without such a play, but in an open gap. Source: gap.'),
            ('streaks', 'is_current', 'Whether it reaches yesterday or today, be it over unknown dates. Source: this view.'),
            ('sessions', 'started_at', 'Start of its first play, an instant in UTC. Source: this view.'),
            ('sessions', 'ended_at', 'END of its last play, an instant in UTC. Source: played_at.'),
            ('sessions', 'started_at_local', 'Start of its first play in the listener''s time zone, without its zone. Source: played_at, listener_setting.'),
            ('sessions', 'listened_date', 'Date of its start in the listener''s time zone. Source: played_at, listener_setting.'),
            ('sessions', 'listened_month', 'First date of the month of its start. Source: played_at, listener_setting.'),
            ('sessions', 'hour', 'Hour of its start in the listener''s time zone, 0 to 23. Source: played_at, listener_setting.'),
            ('sessions', 'weekday', 'Day of the week of its start, 1 = Monday to 7 = Sunday. Source: played_at, listener_setting.'),
            ('sessions', 'length_minutes', 'Minutes from its start to its end, pauses included. Source: this view.'),
            ('', 'plays_with_features', 'Plays of whose track it is known, be it in part, how it sounds. Source: track_features.'),
            ('', 'features_coverage', 'The same as a share of the plays, 0 to 1. Source: this view.'),
            ('', 'share_major', 'Share of plays in a major key, 0 to 1; NULL when unknown. Source: track_features.mode.'),
            ('diversity', 'top10_artists_share', 'Share of the plays that the ten most played artists have, 0 to 1. Source: this view.'),
            ('diversity', 'tracks_per_artist', 'Tracks heard per artist heard. Source: this view.'),
            ('diversity', 'plays_per_track', 'Plays per track heard. Source: this view.'),
            ('diversity', 'new_tracks_share', 'Share of the tracks that were heard for the first time ever, 0 to 1. Source: this view.'),
            ('obsessions', 'listened_date', 'The date of the month with most plays of the track. Source: this view.'),
            ('obsessions', 'plays_all', 'Plays of the track on that date, skips included. Source: listening_history.'),
            ('forgotten_favourites', 'days_since', 'Days from last_heard_on to the last date that a play or a poll is known of. Source: this view.'),
            ('', 'days_with_plays', 'Dates with at least one play. Source: this view.'),
            ('', 'top_artist', 'Artist with most plays of at least 30 s; of several the one listened to longest. Source: this view.'),
            ('', 'top_artist_plays', 'Plays of it of at least 30 s. Source: this view.'),
            ('', 'top_track', 'Track with most plays of at least 30 s; of several the one listened to longest. Source: this view.'),
            ('', 'top_track_artist', 'Artist of the top track. Source: this view.'),
            ('', 'top_track_plays', 'Plays of it of at least 30 s. Source: this view.'),
            ('', 'top_album', 'Album with most plays of at least 30 s; of several the one listened to longest; NULL where no album is known. Source: this view.'),
            ('', 'top_album_artist', 'Artist of the top album. Source: this view.'),
            ('', 'busiest_date', 'Date listened to longest; of several the first. Source: this view.'),
            ('', 'busiest_date_minutes', 'Minutes listened on it. Source: this view.'),
            ('', 'previous_plays_all', 'plays_all of the period before; NULL where it has no play. Source: this view.'),
            ('', 'previous_plays_30s', 'plays_30s of the period before; NULL where it has no play. Source: this view.'),
            ('', 'previous_plays_half', 'plays_half of the period before; NULL where it has no play. Source: this view.'),
            ('', 'previous_plays_done', 'plays_done of the period before; NULL where it has no play. Source: this view.'),
            ('', 'previous_minutes', 'minutes of the period before; NULL where it has no play. Source: this view.'),
            ('', 'previous_artists', 'artists of the period before; NULL where it has no play. Source: this view.'),
            ('', 'previous_tracks', 'tracks of the period before; NULL where it has no play. Source: this view.'),
            ('milestones', 'milestone', 'Which play of at least 30 s it is, counted from 1. Source: this view.'),
            ('milestones', 'reached_at', 'END of that play, an instant in UTC. Source: played_at.'),
            ('together', 'other_listener', 'Short name of the other listener. Source: this pipeline.'),
            ('together', 'other_plays_all', 'Plays of the other listener, skips included. Source: listening_history.'),
            ('together', 'other_minutes', 'Minutes that the other listener listened, estimates included. Source: ms_played, else an estimate.'),
            ('freshness', 'time_zone', 'Name of the time zone that the listener''s dates are in. Source: listener_setting, else UTC.'),
            ('freshness', 'first_played_at', 'END of the first play, an instant in UTC; NULL before it. Source: listening_history.'),
            ('freshness', 'last_played_at', 'END of the last play, an instant in UTC; NULL before the first. Source: listening_history.'),
            ('freshness', 'last_polled_at', 'The last poll that Spotify answered, an instant in UTC; NULL before the first. Source: poll.'),
            ('freshness', 'last_loaded_at', 'When a batch of plays was last loaded, an instant in UTC; NULL before the first. Source: loaded_batch.'),
            ('freshness', 'marked_months', 'Months whose figures wait to be computed again. Source: this database.'),
            ('freshness', 'estimated_share', 'Share of the time listened that is an estimate, 0 to 1; NULL without plays. Source: this view.'),
            ('freshness', 'open_gaps', 'Gaps in which plays may be missing still. Source: gap.')
        )
        SELECT c.oid::regclass AS view, a.attname,
               coalesce(own.meaning, shared.meaning, inherited.meaning) AS meaning
        FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN meaning own ON own.view_name = c.relname AND own.column_name = a.attname
        LEFT JOIN meaning shared ON shared.view_name = '' AND shared.column_name = a.attname
        -- The rest of them are columns of the tables, with their meanings.
        LEFT JOIN LATERAL (
            SELECT col_description(t.attrelid, t.attnum) AS meaning
            FROM pg_attribute t
            WHERE t.attrelid IN ('listening_history'::regclass, 'track_features'::regclass)
              AND t.attname = a.attname
            ORDER BY t.attrelid = 'listening_history'::regclass DESC
            LIMIT 1
        ) inherited ON true
        WHERE c.relnamespace = 'reporting'::regnamespace
          AND c.relkind = 'v'
          AND col_description(c.oid, a.attnum) IS NULL
    LOOP
        EXECUTE format('COMMENT ON COLUMN %s.%I IS %L', col.view, col.attname, col.meaning);
    END LOOP;
END $$;

GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO reader;
DO $$
BEGIN
    -- An external database has it only where its owner made it.
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'report_reader') THEN
        GRANT USAGE ON SCHEMA reporting TO report_reader;
        GRANT SELECT ON ALL TABLES IN SCHEMA reporting TO report_reader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA reporting GRANT SELECT ON TABLES TO report_reader;
    END IF;
END $$;
