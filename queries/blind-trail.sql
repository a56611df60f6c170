-- Could this trail show expiries and pulls at all?
--
-- How to read: lifecycle runs and pulls are read-only events. An account and region with pushes and no read-only event is a blind
-- trail: it cannot show a loss. omitted counts records whose content CloudTrail left out because of its size.
-- Columns: account, region, events, read_only_events, pushes, lifecycle_runs, pulls, omitted, verdict (sees, blind, no pushes)
-- Parameters: none
WITH calls AS (
  SELECT DISTINCT
    recipientaccountid AS account, awsregion AS region, eventsource, eventname, readonly, eventid,
    CASE WHEN requestparameters LIKE '%"omitted"%true%' OR responseelements LIKE '%"omitted"%true%' THEN 1 ELSE 0 END AS omitted
  FROM cloudtrail_logs
),
counted AS (
  SELECT
    account, region,
    count(*) AS events,
    count_if(readonly = 'true') AS read_only_events,
    count_if(eventsource = 'ecr.amazonaws.com' AND eventname = 'PutImage') AS pushes,
    count_if(eventsource = 'ecr.amazonaws.com' AND eventname = 'PolicyExecutionEvent') AS lifecycle_runs,
    count_if(eventsource = 'ecr.amazonaws.com' AND eventname = 'BatchGetImage') AS pulls,
    sum(omitted) AS omitted
  FROM calls
  GROUP BY account, region
)
SELECT
  counted.*,
  CASE WHEN pushes = 0 THEN 'no pushes' WHEN read_only_events = 0 THEN 'blind' ELSE 'sees' END AS verdict
FROM counted
ORDER BY account, region
