-- How many images did each lifecycle rule take, and when?
--
-- How to read: each row is one rule of one repository. runs counts the events in which the rule took something; a run that took
-- nothing is logged, too, and not counted. tagged counts images that still had a tag. At most 100 images of one event are counted.
-- Columns: account, region, repository, rule_priority, runs, images, tagged, first_run, last_run
-- Parameters: repo (a LIKE pattern)
WITH params AS (
  SELECT '%' AS repo
),
digits AS (
  SELECT 0 AS digit UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4
  UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9
),
numbers AS (
  SELECT tens.digit * 10 + ones.digit + 2 AS place FROM digits tens CROSS JOIN digits ones
),
runs AS (
  SELECT DISTINCT
    recipientaccountid AS account,
    awsregion AS region,
    regexp_extract(serviceeventdetails, '"repositoryName" *: *"([^"]+)"', 1) AS repository,
    eventtime, eventid,
    -- What follows the list of actions, up to the list of failures if that comes after it.
    split_part(split_part(serviceeventdetails, '"lifecycleEventImageActions"', 2), '"lifecycleEventFailureDetails"', 1) AS actions
  FROM cloudtrail_logs
  WHERE eventsource = 'ecr.amazonaws.com' AND eventname = 'PolicyExecutionEvent'
),
entries AS (
  SELECT account, region, repository, eventtime, eventid, nullif(split_part(actions, '"lifecycleEventImage"', place), '') AS entry
  FROM runs CROSS JOIN numbers
),
images AS (
  SELECT
    account, region, repository, eventtime, eventid,
    nullif(regexp_extract(entry, '"rulePriority" *: *([0-9]+)', 1), '') AS rule_priority,
    regexp_extract(entry, '"tagStatus" *: *"([^"]*)"', 1) AS tag_status
  FROM entries
  WHERE entry IS NOT NULL
)
SELECT
  account, region, repository, rule_priority,
  count(DISTINCT eventid) AS runs, count(*) AS images, count_if(lower(tag_status) = 'tagged') AS tagged,
  min(eventtime) AS first_run, max(eventtime) AS last_run
FROM images CROSS JOIN params
WHERE repository LIKE repo
GROUP BY account, region, repository, rule_priority
ORDER BY images DESC, repository, rule_priority
