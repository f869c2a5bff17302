-- months --
-- Whole months, the first and the last of the period included.
SELECT listened_month, plays_all, plays_with_features, danceability, energy, valence, acousticness,
       instrumentalness, speechiness, liveness, loudness, tempo, share_major
FROM reporting.mood_by_month
WHERE listener = :listener
  AND listened_month BETWEEN date_trunc('month', :begin::date)::date AND :until
ORDER BY listened_month

-- hours --
SELECT hour, sum(plays_all)::bigint AS plays_all, sum(plays_with_features)::bigint AS plays_with_features,
       (sum(energy * plays_with_features) / nullif(sum(plays_with_features) FILTER (WHERE energy IS NOT NULL), 0))::float8 AS energy,
       (sum(valence * plays_with_features) / nullif(sum(plays_with_features) FILTER (WHERE valence IS NOT NULL), 0))::float8 AS valence,
       (sum(danceability * plays_with_features) / nullif(sum(plays_with_features) FILTER (WHERE danceability IS NOT NULL), 0))::float8 AS danceability,
       (sum(acousticness * plays_with_features) / nullif(sum(plays_with_features) FILTER (WHERE acousticness IS NOT NULL), 0))::float8 AS acousticness,
       (sum(instrumentalness * plays_with_features) / nullif(sum(plays_with_features) FILTER (WHERE instrumentalness IS NOT NULL), 0))::float8 AS instrumentalness,
       (sum(tempo * plays_with_features) / nullif(sum(plays_with_features) FILTER (WHERE tempo IS NOT NULL), 0))::float8 AS tempo
FROM reporting.mood_by_hour
WHERE listener = :listener
  AND listened_month BETWEEN date_trunc('month', :first::date)::date AND :last
GROUP BY hour
ORDER BY hour
