-- Who makes the most calls, and to what?
--
-- How to read: each row is a principal and a service. A principal that suddenly leads the list is worth a look; so is one whose
-- failures come close to its calls.
-- Columns: principal, service, calls, failed, different_calls, regions, first_call, last_call
-- Parameters: least_calls (principals with fewer are left out)
WITH params AS (
  SELECT 1 AS least_calls
),
calls AS (
  SELECT DISTINCT
    coalesce(useridentity.sessioncontext.sessionissuer.arn, useridentity.arn, useridentity.invokedby, useridentity.principalid, 'unknown') AS principal,
    split_part(eventsource, '.', 1) AS service,
    eventname, awsregion, errorcode, eventtime, eventid
  FROM cloudtrail_logs
)
SELECT
  principal, service, count(*) AS calls, count(errorcode) AS failed, count(DISTINCT eventname) AS different_calls,
  count(DISTINCT awsregion) AS regions, min(eventtime) AS first_call, max(eventtime) AS last_call
FROM calls CROSS JOIN params
GROUP BY principal, service, least_calls
HAVING count(*) >= least_calls
ORDER BY calls DESC, principal, service
