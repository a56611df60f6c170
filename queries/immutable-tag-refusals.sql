-- Which pushes were refused because their tag was taken, or because the image was already there?
--
-- How to read: ImageTagAlreadyExistsException means that an immutable tag was protected: otherwise it would have moved, and the
-- other image would have lost it. ImageAlreadyExistsException is the same image pushed twice, which is harmless.
-- Columns: refused_at, account, region, repository, tag, error, actor, message
-- Parameters: repo (a LIKE pattern)
WITH params AS (
  SELECT '%' AS repo
),
refusals AS (
  SELECT DISTINCT
    eventtime AS refused_at,
    recipientaccountid AS account,
    awsregion AS region,
    regexp_extract(requestparameters, '"repositoryName" *: *"([^"]+)"', 1) AS repository,
    nullif(regexp_extract(requestparameters, '"imageTag" *: *"([^"]+)"', 1), '') AS tag,
    errorcode AS error,
    useridentity.arn AS actor,
    errormessage AS message,
    eventid
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'PutImage'
    AND errorcode IN ('ImageTagAlreadyExistsException', 'ImageAlreadyExistsException')
)
SELECT refused_at, account, region, repository, tag, error, actor, message
FROM refusals CROSS JOIN params
WHERE repository LIKE repo
ORDER BY refused_at, eventid
