-- Who signed in to the console, from where, and with a second factor?
--
-- How to read: each row is a user and an address. A success without MFA, or a success after many failures, is worth a question.
-- Columns: account, user_name, source_address, successes, failures, without_mfa, first_login, last_login
-- Parameters: none
WITH logins AS (
  SELECT DISTINCT
    recipientaccountid AS account,
    coalesce(useridentity.username, useridentity.arn, useridentity.type) AS user_name,
    sourceipaddress AS source_address,
    regexp_extract(responseelements, '"ConsoleLogin" *: *"([^"]+)"', 1) AS outcome,
    regexp_extract(additionaleventdata, '"MFAUsed" *: *"([^"]+)"', 1) AS mfa,
    eventtime, eventid
  FROM cloudtrail_logs
  WHERE eventsource = 'signin.amazonaws.com' AND eventname = 'ConsoleLogin'
)
SELECT
  account, user_name, source_address,
  count_if(outcome = 'Success') AS successes,
  count_if(outcome = 'Failure') AS failures,
  count_if(outcome = 'Success' AND mfa = 'No') AS without_mfa,
  min(eventtime) AS first_login,
  max(eventtime) AS last_login
FROM logins
GROUP BY account, user_name, source_address
ORDER BY without_mfa DESC, failures DESC, account, user_name, source_address
