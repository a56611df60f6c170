#!/usr/bin/env bash
# The step of the GitHub Action: runs `tagfall detect`, writes the job's summary, and ends as tagfall does.
# Reads TAGFALL_ACTION_SOURCES (one a line), _FAIL_ON, _KNOWN, _SARIF, _ARGUMENTS (one a line); see action.yml.
set -uo pipefail

mapfile -t sources < <(printf '%s\n' "${TAGFALL_ACTION_SOURCES:-}" | sed '/^[[:space:]]*$/d')
mapfile -t arguments < <(printf '%s\n' "${TAGFALL_ACTION_ARGUMENTS:-}" | sed '/^[[:space:]]*$/d')
if [ "${#sources[@]}" -eq 0 ]; then
  echo "::error::tagfall: the input 'sources' names nothing to read"
  exit 2
fi
program=${TAGFALL_ACTION_PROGRAM:-tagfall}

if [ -n "${TAGFALL_ACTION_SARIF:-}" ]; then
  # Of everything, known or not: code scanning has a memory of its own.
  "$program" detect "${sources[@]}" "${arguments[@]}" --quiet --format sarif --output "$TAGFALL_ACTION_SARIF" || [ $? -ne 2 ] || exit 2
fi

summary=$(mktemp)
options=(--quiet --format markdown --output "$summary")
[ -z "${TAGFALL_ACTION_FAIL_ON:-}" ] || options+=(--fail-on "$TAGFALL_ACTION_FAIL_ON")
[ -z "${TAGFALL_ACTION_KNOWN:-}" ] || options+=(--known "$TAGFALL_ACTION_KNOWN")
"$program" detect "${sources[@]}" "${arguments[@]}" "${options[@]}"
code=$?
cat "$summary" >>"${GITHUB_STEP_SUMMARY:-/dev/stdout}" 2>/dev/null
echo "exit-code=$code" >>"${GITHUB_OUTPUT:-/dev/null}"
case $code in
  1) echo "::warning::tagfall: images were lost; see the summary of this job" ;;
  2) echo "::error::tagfall could not run; see the log above" ;;
  3) echo "::warning::tagfall: some of the evidence could not be read; see the log above" ;;
esac
exit "$code"
