-- Which images have lost their tag to another push, and are not gone yet?
--
-- How to read: the next lifecycle run may take each of them; whoever pinned the digest then fails. pulls_since counts pulls by
-- digest after it lost the tag: above 0, something still needs it. An image that got another tag is not listed.
-- Columns: account, region, repository, tag, digest, pushed_at, untagged_at, displaced_by, pulls_since, last_pull
-- Parameters: repo (a LIKE pattern)
WITH params AS (
  SELECT '%' AS repo
),
pushes AS (
  SELECT DISTINCT
    recipientaccountid AS account,
    awsregion AS region,
    regexp_extract(requestparameters, '"repositoryName" *: *"([^"]+)"', 1) AS repository,
    nullif(regexp_extract(requestparameters, '"imageTag" *: *"([^"]+)"', 1), '') AS tag,
    nullif(regexp_extract(responseelements, '"imageDigest" *: *"(sha256:[0-9a-f]+)"', 1), '') AS digest,
    eventtime, eventid
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'PutImage' AND errorcode IS NULL
),
moves AS (
  SELECT
    account, region, repository, tag, digest, eventtime AS pushed_at,
    lead(digest) OVER (PARTITION BY account, region, repository, tag ORDER BY eventtime, eventid) AS displaced_by,
    lead(eventtime) OVER (PARTITION BY account, region, repository, tag ORDER BY eventtime, eventid) AS untagged_at
  FROM pushes
  WHERE tag IS NOT NULL AND digest IS NOT NULL
),
untagged AS (
  SELECT moves.*
  FROM moves CROSS JOIN params
  WHERE displaced_by <> digest AND repository LIKE repo
    AND NOT EXISTS (
      SELECT 1 FROM moves other
      WHERE other.repository = moves.repository AND other.digest = moves.digest
        AND (other.displaced_by IS NULL OR other.untagged_at > moves.untagged_at)
    )
),
removals AS (
  SELECT DISTINCT awsregion AS region, eventtime, coalesce(serviceeventdetails, responseelements) AS details
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname IN ('PolicyExecutionEvent', 'BatchDeleteImage') AND errorcode IS NULL
),
alive AS (
  SELECT untagged.*
  FROM untagged
  WHERE NOT EXISTS (
    SELECT 1 FROM removals
    WHERE removals.region = untagged.region AND removals.eventtime >= untagged.untagged_at AND position(untagged.digest IN removals.details) > 0
  )
),
pulls AS (
  SELECT DISTINCT
    awsregion AS region,
    nullif(regexp_extract(requestparameters, '"imageDigest" *: *"(sha256:[0-9a-f]+)"', 1), '') AS digest,
    eventtime, eventid
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'BatchGetImage' AND errorcode IS NULL
)
SELECT
  alive.account, alive.region, alive.repository, alive.tag, alive.digest, alive.pushed_at, alive.untagged_at, alive.displaced_by,
  count(pulls.eventid) AS pulls_since, max(pulls.eventtime) AS last_pull
FROM alive
LEFT JOIN pulls ON pulls.region = alive.region AND pulls.digest = alive.digest AND pulls.eventtime >= alive.untagged_at
GROUP BY
  alive.account, alive.region, alive.repository, alive.tag, alive.digest, alive.pushed_at, alive.untagged_at, alive.displaced_by
ORDER BY pulls_since DESC, alive.untagged_at, alive.digest
