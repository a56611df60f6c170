-- What has a tag of a repository pointed to, and since when?
--
-- How to read: each row is a push that moved the tag. until is empty for the digest that has the tag now. A digest pushed
-- under the tag again and again without another in between is one row.
-- Columns: account, region, repository, tag, digest, since, until, actor, source_address
-- Parameters: repo (a LIKE pattern), tag (a LIKE pattern)
WITH params AS (
  SELECT '%' AS repo, '%' AS tag
),
pushes AS (
  SELECT DISTINCT
    recipientaccountid AS account,
    awsregion AS region,
    regexp_extract(requestparameters, '"repositoryName" *: *"([^"]+)"', 1) AS repository,
    nullif(regexp_extract(requestparameters, '"imageTag" *: *"([^"]+)"', 1), '') AS image_tag,
    nullif(regexp_extract(responseelements, '"imageDigest" *: *"(sha256:[0-9a-f]+)"', 1), '') AS digest,
    eventtime, eventid, useridentity.arn AS actor, sourceipaddress
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'PutImage' AND errorcode IS NULL
),
compared AS (
  SELECT
    pushes.*,
    lag(digest) OVER (PARTITION BY account, region, repository, image_tag ORDER BY eventtime, eventid) AS digest_before
  FROM pushes CROSS JOIN params
  WHERE image_tag IS NOT NULL AND digest IS NOT NULL AND repository LIKE params.repo AND image_tag LIKE params.tag
),
moves AS (
  SELECT * FROM compared WHERE digest_before IS NULL OR digest_before <> digest
)
SELECT
  account, region, repository, image_tag AS tag, digest,
  eventtime AS since,
  lead(eventtime) OVER (PARTITION BY account, region, repository, image_tag ORDER BY eventtime, eventid) AS until,
  actor, sourceipaddress AS source_address
FROM moves
ORDER BY account, region, repository, image_tag, eventtime, eventid
