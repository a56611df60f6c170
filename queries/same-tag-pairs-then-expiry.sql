-- Which images lost their tag to another push of the same tag, and were then taken by a lifecycle run?
--
-- How to read: each row is one lost image. first_push gave it the tag, second_push took the tag away, gone_at is the
-- lifecycle run that took the image. A pair closer than window_seconds is a race of two builds, any other an overwrite.
-- Whatever still asks for lost_digest after gone_at fails.
-- Columns: account, region, repository, tag, lost_digest, kept_digest, first_push, first_actor, second_push, second_actor,
--   gap_seconds, gone_at, kind (same-tag-race, same-tag-overwrite)
-- Parameters: repo (a LIKE pattern), window_seconds
WITH params AS (
  SELECT '%' AS repo, 600 AS window_seconds
),
pushes AS (
  SELECT DISTINCT
    recipientaccountid AS account,
    awsregion AS region,
    regexp_extract(requestparameters, '"repositoryName" *: *"([^"]+)"', 1) AS repository,
    nullif(regexp_extract(requestparameters, '"imageTag" *: *"([^"]+)"', 1), '') AS tag,
    nullif(regexp_extract(responseelements, '"imageDigest" *: *"(sha256:[0-9a-f]+)"', 1), '') AS digest,
    CAST(replace(replace(eventtime, 'T', ' '), 'Z', '') AS timestamp) AS pushed_at,
    useridentity.arn AS actor,
    eventid
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'PutImage' AND errorcode IS NULL
),
tagged AS (
  SELECT pushes.*
  FROM pushes CROSS JOIN params
  WHERE tag IS NOT NULL AND digest IS NOT NULL AND repository LIKE repo
),
steps_of_a_tag AS (
  SELECT
    tagged.*,
    lag(digest) OVER (PARTITION BY account, region, repository, tag ORDER BY pushed_at, eventid) AS lost_digest,
    lag(pushed_at) OVER (PARTITION BY account, region, repository, tag ORDER BY pushed_at, eventid) AS first_push,
    lag(actor) OVER (PARTITION BY account, region, repository, tag ORDER BY pushed_at, eventid) AS first_actor
  FROM tagged
),
pairs AS (
  SELECT account, region, repository, tag, lost_digest, digest AS kept_digest, first_push, first_actor, pushed_at AS second_push, actor AS second_actor
  FROM steps_of_a_tag
  WHERE lost_digest <> digest
),
runs AS (
  SELECT DISTINCT
    recipientaccountid AS account,
    awsregion AS region,
    regexp_extract(serviceeventdetails, '"repositoryName" *: *"([^"]+)"', 1) AS repository,
    CAST(replace(replace(eventtime, 'T', ' '), 'Z', '') AS timestamp) AS gone_at,
    serviceeventdetails AS details
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'PolicyExecutionEvent'
),
losses AS (
  SELECT
    pairs.account, pairs.region, pairs.repository, pairs.tag, pairs.lost_digest, pairs.kept_digest,
    pairs.first_push, pairs.first_actor, pairs.second_push, pairs.second_actor, min(runs.gone_at) AS gone_at
  FROM pairs
  JOIN runs ON runs.account = pairs.account AND runs.region = pairs.region AND runs.repository = pairs.repository
  WHERE runs.gone_at > pairs.second_push AND position(pairs.lost_digest IN runs.details) > 0
  GROUP BY
    pairs.account, pairs.region, pairs.repository, pairs.tag, pairs.lost_digest, pairs.kept_digest,
    pairs.first_push, pairs.first_actor, pairs.second_push, pairs.second_actor
),
-- A digest that got a tag again before the run was not lost by this pair.
final_losses AS (
  SELECT losses.*, losses.second_push - losses.first_push AS gap
  FROM losses
  WHERE NOT EXISTS (
    SELECT 1 FROM tagged
    WHERE tagged.repository = losses.repository AND tagged.digest = losses.lost_digest
      AND tagged.pushed_at > losses.second_push AND tagged.pushed_at < losses.gone_at
  )
)
SELECT
  account, region, repository, tag, lost_digest, kept_digest, first_push, first_actor, second_push, second_actor,
  extract(DAY FROM gap) * 86400 + extract(HOUR FROM gap) * 3600 + extract(MINUTE FROM gap) * 60 + extract(SECOND FROM gap) AS gap_seconds,
  gone_at,
  CASE
    WHEN extract(DAY FROM gap) * 86400 + extract(HOUR FROM gap) * 3600 + extract(MINUTE FROM gap) * 60 + extract(SECOND FROM gap) <= window_seconds
    THEN 'same-tag-race' ELSE 'same-tag-overwrite'
  END AS kind
FROM final_losses CROSS JOIN params
ORDER BY gone_at, repository, tag, lost_digest
