#!/bin/sh
# Puts everything that belongs to an installed tagfall into a folder: program, manual pages, shell completions, README.
# Usage: packaging/stage.sh PROGRAM FOLDER
set -eu
program=$1 root=$2
cd "$(dirname "$0")/.."

mkdir -p "$root/bin" "$root/share/man/man1" "$root/share/doc/tagfall"
install -m 755 "$program" "$root/bin/tagfall"
install -m 644 README.md CHANGELOG.md LICENSE "$root/share/doc/tagfall"

"$program" man >"$root/share/man/man1/tagfall.1"
for command in $("$program" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z]*\) .*/\1/p'); do
  [ "$command" = help ] || "$program" man "$command" >"$root/share/man/man1/tagfall-$command.1"
done

completion() {
  mkdir -p "$root/share/$2"
  "$program" completions "$1" >"$root/share/$2/$3"
}
completion bash bash-completion/completions tagfall
completion zsh zsh/site-functions _tagfall
completion fish fish/vendor_completions.d tagfall.fish
