-- Which other accounts pull from our repositories?
--
-- How to read: each row is one caller of another account. They are affected when an image is lost, but
-- their tasks fail in their own account, so that the owner of the repository easily overlooks them.
-- Columns: account, region, repository, caller_account, caller, pulls, first_pull, last_pull
-- Parameters: repo (a LIKE pattern)
WITH params AS (
  SELECT '%' AS repo
),
pulls AS (
  SELECT DISTINCT
    recipientaccountid AS account,
    awsregion AS region,
    regexp_extract(requestparameters, '"repositoryName" *: *"([^"]+)"', 1) AS repository,
    useridentity.accountid AS caller_account,
    coalesce(useridentity.arn, useridentity.principalid) AS caller,
    eventtime, eventid
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname IN ('BatchGetImage', 'GetDownloadUrlForLayer')
    AND useridentity.accountid <> recipientaccountid
)
SELECT account, region, repository, caller_account, caller, count(*) AS pulls, min(eventtime) AS first_pull, max(eventtime) AS last_pull
FROM pulls CROSS JOIN params
WHERE repository LIKE repo
GROUP BY account, region, repository, caller_account, caller
ORDER BY pulls DESC, repository, caller
