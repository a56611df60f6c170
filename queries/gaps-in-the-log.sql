-- When was there no event at all in an account and region?
--
-- How to read: each row is a time without events that is longer than hours. In an account that is in use, objects may be missing;
-- what happened in that time is not known, and losses that depend on it cannot be found.
-- Columns: account, region, silent_from, silent_until, silent_hours
-- Parameters: hours
WITH params AS (
  SELECT 6 AS hours
),
times AS (
  SELECT DISTINCT recipientaccountid AS account, awsregion AS region, CAST(replace(replace(eventtime, 'T', ' '), 'Z', '') AS timestamp) AS at_time
  FROM cloudtrail_logs
  WHERE eventtime IS NOT NULL
),
steps_of_time AS (
  SELECT account, region, at_time, lag(at_time) OVER (PARTITION BY account, region ORDER BY at_time) AS before_time
  FROM times
),
silences AS (
  SELECT account, region, before_time, at_time, at_time - before_time AS silence
  FROM steps_of_time
  WHERE before_time IS NOT NULL
)
SELECT
  account, region, before_time AS silent_from, at_time AS silent_until,
  extract(DAY FROM silence) * 24 + extract(HOUR FROM silence) AS silent_hours
FROM silences CROSS JOIN params
WHERE extract(DAY FROM silence) * 24 + extract(HOUR FROM silence) >= hours
ORDER BY silent_hours DESC, account, region, silent_from
