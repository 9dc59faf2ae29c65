#!/bin/bash
# Finds the shapes of code that GCC 12 (and 11) miscompiles around co_await; docs/COMPILERS.md lists them.
#
#   gcc12.sh [BUILD] [FILE...]     BUILD: a folder with compile_commands.json; without FILEs: every file in it
#
# Prints FILE:LINE:COLUMN: SHAPE: what to write instead. Headers are judged through the files that include them.
# A line with NOLINT(co_await) is left alone. Ends with 1 if there is any, with 77 if clang-query is missing,
# with 2 if a file could not be parsed.
set -euo pipefail
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
query=${CLANG_QUERY:-clang-query-19}
command -v "$query" >/dev/null || { echo "gcc12.sh: no $query here (Debian: clang-tools-19)" >&2; exit 77; }

build=. files=()
for argument in "$@"; do
  if [ -d "$argument" ]; then build=$argument; else files+=("$argument"); fi
done
[ -f "$build/compile_commands.json" ] || { echo "gcc12.sh: no compile_commands.json in $build" >&2; exit 2; }
if [ ${#files[@]} -eq 0 ]; then
  mapfile -t files < <(grep -oE '"file" *: *"[^"]*"' "$build/compile_commands.json" |
    sed -E 's/^"file" *: *"(.*)"$/\1/' | sort -u)
  [ ${#files[@]} -ne 0 ] || { echo "gcc12.sh: no file in $build/compile_commands.json" >&2; exit 2; }
fi
for file in "${files[@]}"; do
  [ -r "$file" ] || { echo "gcc12.sh: cannot read $file" >&2; exit 2; }
done
mapfile -t coroutines < <(grep -lE '\bco_(await|yield|return)\b' -- "${files[@]}")
[ ${#coroutines[@]} -ne 0 ] || exit 0

output=$(mktemp)
trap 'rm -f "$output"' EXIT
printf '%s\0' "${coroutines[@]}" |
  xargs -0 -P "$(nproc)" -n 4 bash -c '
    out=$("$@" 2>&1) || [ $? -lt 128 ] || out="error: $1 crashed on ${*:7}"
    printf "%s\n" "$out"' _ \
    "$query" -p "$build" --extra-arg=-w -f "$here/gcc12.query" >"$output"

# Options that only GCC knows do not keep clang from reading the file; errors in it do, and so do ours in a matcher.
if grep -E '(: |^)(fatal )?error: |^[0-9]+:[0-9]+: |Compile command not found' "$output" |
  grep -v 'error: unknown argument' >&2; then
  echo "gcc12.sh: a file or a matcher could not be read" >&2
  exit 2
fi
awk '
  BEGIN {
    advice["aggregate"] = "destroyed twice: use a named variable, a function result or troupe::make"
    advice["lambda"] = "destroyed twice: capture by reference, or name the lambda and move it"
    advice["conditional"] = "destroyed twice: name the result of ?: first"
    advice["initializer-list"] = "does not compile: name the container first"
    advice["copied-awaiter"] = "a copy is awaited: await a variable, or a prvalue that points at the awaiter"
    advice["bare-condition"] = "never ends: give the result of co_await a name before the condition"
  }
  / note: "[a-z-]+" binds here$/ {
    split($0, quoted, "\"")
    if (!(quoted[2] in advice)) next
    place = substr($1, 1, length($1) - 1)
    split(place, at, ":")
    number = 0
    while (number < at[2] && (getline text < at[1]) > 0) ++number
    close(at[1])
    if (text !~ /NOLINT\(co_await\)/) print place ": " quoted[2] ": " advice[quoted[2]]
  }' "$output" | sort -u | sort -s -t: -k1,1 -k2,2n -k3,3n | { ! grep . || exit 1; }
