#!/bin/sh
# Makes the file system of the container image: the program, the libraries that it loads, CA certificates, a user; no shell.
# Usage: packaging/image.sh PROGRAM FOLDER
set -eu
program=$1 root=$2

mkdir -p "$root/usr/bin" "$root/etc/ssl/certs" "$root/tmp"
chmod 1777 "$root/tmp"
install -m 755 "$program" "$root/usr/bin/tagfall"
# The libraries that the loader finds, and the loader itself.
ldd "$program" | grep -o '/[^ ]*' | while read -r library; do
  install -D -m 755 "$(realpath "$library")" "$root$library"
done
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
  install -m 644 /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
else
  echo "no certificates here: the image will reach S3 by SSL_CERT_FILE alone" >&2
fi
echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
echo 'tagfall:x:65532:65532::/tmp:/usr/bin/tagfall' >"$root/etc/passwd"
echo 'tagfall:x:65532:' >"$root/etc/group"
