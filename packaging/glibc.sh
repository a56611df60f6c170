#!/bin/sh
# Prints the oldest glibc with which a program runs, by the versions of the symbols that it needs. Fails if that is newer than the
# second argument.
# Usage: packaging/glibc.sh PROGRAM [NEWEST-ALLOWED]
set -eu
needed=$(readelf --wide --version-info "$1" | grep -o 'GLIBC_[0-9][0-9.]*' | sed 's/^GLIBC_//' | sort -uV | tail -n 1)
[ -n "$needed" ] || { echo "$1 needs no glibc, or is no program" >&2; exit 2; }
echo "$needed"
if [ $# -gt 1 ] && [ "$(printf '%s\n' "$needed" "$2" | sort -V | tail -n 1)" != "$2" ]; then
  echo "$1 needs glibc $needed, and is to run with $2" >&2
  exit 1
fi
