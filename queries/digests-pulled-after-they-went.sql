-- Which images did someone ask for after a lifecycle run had taken them?
--
-- How to read: each row is one image and one caller. Such a pull fails. In the log it looks like any other pull; that it failed is
-- known because it came after gone_at. Many calls by one caller are retries.
-- Columns: account, region, repository, digest, gone_at, caller, calls, first_call, last_call
-- Parameters: repo (a LIKE pattern)
WITH params AS (
  SELECT '%' AS repo
),
runs AS (
  SELECT DISTINCT
    recipientaccountid AS account,
    awsregion AS region,
    regexp_extract(serviceeventdetails, '"repositoryName" *: *"([^"]+)"', 1) AS repository,
    eventtime AS gone_at,
    serviceeventdetails AS details
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'PolicyExecutionEvent'
),
pulls AS (
  SELECT DISTINCT
    awsregion AS region,
    regexp_extract(requestparameters, '"repositoryName" *: *"([^"]+)"', 1) AS repository,
    nullif(regexp_extract(requestparameters, '"imageDigest" *: *"(sha256:[0-9a-f]+)"', 1), '') AS digest,
    coalesce(useridentity.arn, useridentity.principalid, useridentity.invokedby) AS caller,
    eventtime, eventid
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'BatchGetImage'
)
SELECT
  runs.account, runs.region, runs.repository, pulls.digest, runs.gone_at, pulls.caller,
  count(*) AS calls, min(pulls.eventtime) AS first_call, max(pulls.eventtime) AS last_call
FROM runs
JOIN pulls ON pulls.region = runs.region AND pulls.repository = runs.repository
CROSS JOIN params
WHERE pulls.digest IS NOT NULL
  AND pulls.eventtime >= runs.gone_at
  AND position(pulls.digest IN runs.details) > 0
  AND runs.repository LIKE repo
GROUP BY runs.account, runs.region, runs.repository, pulls.digest, runs.gone_at, pulls.caller
ORDER BY calls DESC, runs.repository, pulls.digest, pulls.caller
