-- What was changed in the half hour before a moment?
--
-- How to read: set moment to when it broke (UTC, without a zone). Each row is a call that was not read-only, the latest first. The
-- first row need not be the cause; it is where to begin.
-- Columns: changed_at, account, region, service, call_name, actor, source_address, error, request
-- Parameters: moment, minutes
WITH params AS (
  SELECT '2026-03-24 09:20:00' AS moment, 30 AS minutes
),
calls AS (
  SELECT DISTINCT
    CAST(replace(replace(eventtime, 'T', ' '), 'Z', '') AS timestamp) AS changed_at,
    recipientaccountid AS account,
    awsregion AS region,
    split_part(eventsource, '.', 1) AS service,
    eventname AS call_name,
    coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid) AS actor,
    sourceipaddress AS source_address,
    errorcode AS error,
    substr(requestparameters, 1, 300) AS request,
    eventid
  FROM cloudtrail_logs
  WHERE readonly = 'false'
)
SELECT changed_at, account, region, service, call_name, actor, source_address, error, request
FROM calls CROSS JOIN params
WHERE changed_at <= CAST(moment AS timestamp)
  AND changed_at >= CAST(moment AS timestamp) - minutes * INTERVAL '1' MINUTE
ORDER BY changed_at DESC, eventid
