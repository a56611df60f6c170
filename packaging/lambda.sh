#!/bin/sh
# Makes a zip for AWS Lambda: the program, and the runtime that calls it (packaging/lambda/bootstrap). The same program gives the same
# zip, byte for byte. Usage: [LEVEL=1] packaging/lambda.sh PROGRAM ARCHITECTURE OUT-FOLDER (ARCHITECTURE: x86_64, arm64; LEVEL: how hard to compress, 1 to 9)
set -eu
program=$(realpath "$1") architecture=$2
mkdir -p "$3"
out=$(realpath "$3")
here=$(realpath "$(dirname "$0")")

package=$out/tagfall-$("$here/version.sh")-lambda-$architecture.zip
python3 - "$package" "$here/lambda/bootstrap" "$program" <<'PYTHON'
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED, compresslevel=int(os.environ.get("LEVEL", "9"))) as package:
    for name, path in zip(("bootstrap", "tagfall"), sys.argv[2:]):
        entry = zipfile.ZipInfo(name)
        entry.external_attr = 0o100755 << 16
        package.writestr(entry, open(path, "rb").read(), zipfile.ZIP_DEFLATED, package.compresslevel)
PYTHON
echo "$package"
