-- Which pipelines and people push to which repositories, and do several push the same tag?
--
-- How to read: each row is a repository and a role (or user) that pushes to it. Two rows with shared_tags above 0 push tags that
-- another one pushes, too: that is how one build takes the tag from another.
-- Columns: account, region, repository, pusher, pushes, tags, shared_tags, failed, first_push, last_push
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
    coalesce(useridentity.sessioncontext.sessionissuer.arn, useridentity.arn, useridentity.invokedby) AS pusher,
    errorcode, eventtime, eventid
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'PutImage'
),
tag_pushers AS (
  SELECT account, region, repository, tag, count(DISTINCT pusher) AS pushers
  FROM pushes
  WHERE tag IS NOT NULL AND errorcode IS NULL
  GROUP BY account, region, repository, tag
)
SELECT
  pushes.account, pushes.region, pushes.repository, pushes.pusher,
  count_if(pushes.errorcode IS NULL) AS pushes,
  count(DISTINCT pushes.tag) AS tags,
  count(DISTINCT CASE WHEN tag_pushers.pushers > 1 THEN pushes.tag END) AS shared_tags,
  count_if(pushes.errorcode IS NOT NULL) AS failed,
  min(pushes.eventtime) AS first_push,
  max(pushes.eventtime) AS last_push
FROM pushes
LEFT JOIN tag_pushers
  ON tag_pushers.account = pushes.account AND tag_pushers.region = pushes.region
  AND tag_pushers.repository = pushes.repository AND tag_pushers.tag = pushes.tag
CROSS JOIN params
WHERE pushes.repository LIKE repo
GROUP BY pushes.account, pushes.region, pushes.repository, pushes.pusher
ORDER BY shared_tags DESC, pushes.repository, pushes.pusher
