-- Whose calls fail, and why?
--
-- How to read: each row is a principal, a call and an error. To a client, an access error on BatchGetImage looks like a missing
-- image. Many different refused calls by one principal in a short time may be somebody looking for permissions.
-- Columns: principal, service, call_name, error, failures, first_failure, last_failure, a_message
-- Parameters: service (a LIKE pattern, such as ecr)
WITH params AS (
  SELECT '%' AS service
),
failures AS (
  SELECT DISTINCT
    coalesce(useridentity.arn, useridentity.invokedby, useridentity.principalid, 'unknown') AS principal,
    split_part(eventsource, '.', 1) AS called_service,
    eventname, errorcode, errormessage, eventtime, eventid
  FROM cloudtrail_logs
  WHERE errorcode IS NOT NULL
)
SELECT
  principal, called_service AS service, eventname AS call_name, errorcode AS error,
  count(*) AS failures, min(eventtime) AS first_failure, max(eventtime) AS last_failure, max(errormessage) AS a_message
FROM failures CROSS JOIN params
WHERE called_service LIKE params.service
GROUP BY principal, called_service, eventname, errorcode
ORDER BY failures DESC, principal, call_name, error
