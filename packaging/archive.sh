#!/bin/sh
# Makes tagfall-VERSION-TARGET.tar.gz, and its checksum in a file beside it. The same program gives the same archive, byte for byte.
# Usage: [LEVEL=1] packaging/archive.sh PROGRAM TARGET OUT-FOLDER (LEVEL: how hard to compress, 1 to 9)
set -eu
program=$(realpath "$1") target=$2
mkdir -p "$3"
out=$(realpath "$3")
here=$(realpath "$(dirname "$0")")

name=tagfall-$("$here/version.sh")-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$here/stage.sh" "$program" "$work/$name"
tar --sort=name --mtime="@${SOURCE_DATE_EPOCH:-0}" --owner=0 --group=0 --numeric-owner -C "$work" -cf - "$name" | gzip -n"${LEVEL:-9}" >"$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$out/$name.tar.gz"
