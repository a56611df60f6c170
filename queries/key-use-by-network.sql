-- From which networks is each access key used?
--
-- How to read: each row is a key and a network (the first two numbers of the address; AWS's own services by their name). If the key
-- of a pipeline is suddenly used from another network, somebody else may have it.
-- Columns: access_key, principal, network, calls, addresses, first_call, last_call
-- Parameters: key_pattern (a LIKE pattern; AKIA% are keys that last, ASIA% those of sessions)
WITH params AS (
  SELECT 'AKIA%' AS key_pattern
),
calls AS (
  SELECT DISTINCT
    useridentity.accesskeyid AS access_key,
    coalesce(useridentity.arn, useridentity.principalid) AS principal,
    coalesce(nullif(regexp_extract(sourceipaddress, '^([0-9]+[.][0-9]+)[.]', 1), ''), sourceipaddress) AS network,
    sourceipaddress, eventtime, eventid
  FROM cloudtrail_logs
  WHERE useridentity.accesskeyid IS NOT NULL
)
SELECT
  access_key, principal, network, count(*) AS calls, count(DISTINCT sourceipaddress) AS addresses,
  min(eventtime) AS first_call, max(eventtime) AS last_call
FROM calls CROSS JOIN params
WHERE access_key LIKE key_pattern
GROUP BY access_key, principal, network
ORDER BY access_key, calls DESC, network
