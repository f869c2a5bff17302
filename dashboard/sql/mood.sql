-- hours --
-- The averages of each hour of each month: whole months from the view by month, the days around them
-- from the plays.
SELECT listened_month, hour, plays_all, plays_with_features,
       energy, valence, danceability, acousticness, instrumentalness, tempo,
       energy_plays, valence_plays, danceability_plays, acousticness_plays,
       instrumentalness_plays, tempo_plays
FROM reporting.mood_by_hour
WHERE listener = :listener AND listened_month BETWEEN :months_first AND :months_last
UNION ALL
SELECT listened_month, hour, count(*), count(*) FILTER (WHERE num_nonnulls(
           danceability, energy, key, loudness, mode, speechiness, acousticness,
           instrumentalness, liveness, valence, tempo, time_signature
       ) > 0),
       avg(energy), avg(valence), avg(danceability),
       avg(acousticness), avg(instrumentalness), avg(tempo),
       count(energy), count(valence), count(danceability),
       count(acousticness), count(instrumentalness), count(tempo)
FROM reporting.plays
WHERE listener = :listener
  AND ended_at >= (:head_first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:head_last::date + 1)::timestamp AT TIME ZONE :zone
GROUP BY listened_month, hour
UNION ALL
SELECT listened_month, hour, count(*), count(*) FILTER (WHERE num_nonnulls(
           danceability, energy, key, loudness, mode, speechiness, acousticness,
           instrumentalness, liveness, valence, tempo, time_signature
       ) > 0),
       avg(energy), avg(valence), avg(danceability),
       avg(acousticness), avg(instrumentalness), avg(tempo),
       count(energy), count(valence), count(danceability),
       count(acousticness), count(instrumentalness), count(tempo)
FROM reporting.plays
WHERE listener = :listener
  AND ended_at >= (:tail_first::date)::timestamp AT TIME ZONE :zone
  AND ended_at < (:tail_last::date + 1)::timestamp AT TIME ZONE :zone
GROUP BY listened_month, hour
