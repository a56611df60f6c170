-- Who pushed which image, when, and from where?
--
-- How to read: each row is one PutImage, failed ones too: error says why nothing was stored. A push without a tag is the child
-- of an index, or a push by digest. The address of a Docker client is hidden by the registry: actor says who it was.
-- Columns: pushed_at, account, region, repository, tag, digest, actor, source_address, client, error
-- Parameters: repo (a LIKE pattern)
WITH params AS (
  SELECT '%' AS repo
),
pushes AS (
  SELECT DISTINCT
    eventtime AS pushed_at,
    recipientaccountid AS account,
    awsregion AS region,
    regexp_extract(requestparameters, '"repositoryName" *: *"([^"]+)"', 1) AS repository,
    nullif(regexp_extract(requestparameters, '"imageTag" *: *"([^"]+)"', 1), '') AS tag,
    nullif(regexp_extract(responseelements, '"imageDigest" *: *"(sha256:[0-9a-f]+)"', 1), '') AS digest,
    useridentity.arn AS actor,
    sourceipaddress AS source_address,
    useragent AS client,
    errorcode AS error,
    eventid
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'PutImage'
)
SELECT pushed_at, account, region, repository, tag, digest, actor, source_address, client, error
FROM pushes CROSS JOIN params
WHERE repository LIKE repo
ORDER BY pushed_at, eventid
