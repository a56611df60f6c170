#!/bin/sh
# A Debian package of a program that is already built. It depends on the glibc whose symbols the program needs.
# Usage: [LEVEL=1] packaging/deb.sh PROGRAM ARCHITECTURE OUT-FOLDER (ARCHITECTURE: amd64, arm64; LEVEL: how hard to compress)
set -eu
program=$(realpath "$1") architecture=$2
mkdir -p "$3"
out=$(realpath "$3")
here=$(realpath "$(dirname "$0")")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
"$here/stage.sh" "$program" "$work/usr"
gzip -9n "$work"/usr/share/man/man1/*.1
depends="libc6 (>= $("$here/glibc.sh" "$program"))"
readelf --wide --dynamic "$program" | grep -q 'libgcc_s\.so\.1' && depends="$depends, libgcc-s1"
mkdir "$work/DEBIAN"
cat >"$work/DEBIAN/control" <<CONTROL
Package: tagfall
Version: $("$here/version.sh")
Architecture: $architecture
Maintainer: the tagfall project
Section: utils
Priority: optional
Depends: $depends
Recommends: ca-certificates
Description: CloudTrail log forensics for container images that vanished
 Tells from CloudTrail logs why a container image vanished from ECR: which push
 took its tag, which lifecycle run took the image, and who still needed it.
CONTROL
package=$out/tagfall_$("$here/version.sh")_$architecture.deb
dpkg-deb -Zxz -z"${LEVEL:-9}" --root-owner-group --build "$work" "$package" >&2
echo "$package"
