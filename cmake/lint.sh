#!/bin/bash
# The conventions that a compiler does not check. Prints each breach and ends with 1 if there is any.
set -uo pipefail
shopt -s lastpipe  # forbid runs in this shell, so that it can count
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."
breaches=0

forbid() {  # WHY, then the lines of standard input are the breaches
  local why=$1 lines
  lines=$(cat)
  if [ -n "$lines" ]; then
    printf '%s:\n%s\n' "$why" "$lines" >&2
    breaches=1
  fi
}

mapfile -t all < <(find runtime transport actors examples tests bench -name '*.[ch]pp' | sort)
mapfile -t modules < <(printf '%s\n' "${all[@]}" | grep -E '^(runtime|transport|actors)/')
mapfile -t above_env < <(printf '%s\n' "${modules[@]}" | grep -v '^runtime/os/')
mapfile -t public < <(printf '%s\n' "${modules[@]}" | grep '/troupe/')

code() { sed -E 's,^( *)//.*,\1,; s,  // .*,,' "$1"; }  # without the comments that stand alone or end a line
matches() {  # REGEX FILE...: matching lines of code
  local regex=$1 file
  shift
  for file in "$@"; do code "$file" | grep -nE -- "$regex" | sed "s|^|$file:|"; done
}

for file in "${all[@]}"; do
  lines=$(wc -l <"$file")
  if [[ $file == tests/* ]]; then most=600; else most=500; fi
  [ "$lines" -le "$most" ] || echo "$file: $lines lines"
done | forbid "no file is longer than 500 lines, no test file than 600"

for file in "${all[@]}"; do
  header=${file%.cpp}.hpp  # x.cpp may leave the comment to x.hpp
  [[ $file != "$header" && -n $(find . -path "*/${header##*/}" -not -path './build/*') ]] ||
    head -n 2 "$file" | grep -qE '^//|^#include "catch.hpp"' || echo "$file"
done | forbid "each file opens with a comment on its one concept"

for file in "${all[@]}"; do
  [[ $file != *.hpp ]] || grep -q '^#pragma once' "$file" || echo "$file"
done | forbid "a header has #pragma once"

printf '%s\n' "${modules[@]##*/}" | sort | uniq -d | forbid "file names are unique across the modules"

for file in "${all[@]}"; do
  [[ $file != *.hpp ]] || grep -rqE "#include [<\"]([a-z_/]*/)?${file##*/}[>\"]" --include='*.[ch]pp' --exclude-dir=build . ||
    echo "$file"
done | forbid "a header that nothing includes is dead"

grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${all[@]}" | forbid "open ends belong in an issue"

grep -nE 'TEST_CASE(_METHOD)?\("[^"]*;' tests/*.cpp |
  forbid "a test's name has no semicolon, at which CMake would cut it in two"

matches '_clock::now|random_device|std::rand|mt19937|sleep_for|sleep_until|gettimeofday|clock_gettime|getrandom' \
  "${above_env[@]}" | forbid "outside runtime/os/, time and chance come from troupe::env"

matches '#include <(sys/|unistd|fcntl|poll|signal|csignal|netinet|netdb|pthread|linux/|liburing|ctime|random)' \
  "${above_env[@]}" | forbid "outside runtime/os/, the kernel is reached through troupe::env"

matches '#include <(liburing|openssl|boost/beast|boost/asio|concurrentqueue|xxhash|CLI)' "${public[@]}" |
  forbid "a public header includes no liburing, OpenSSL, Beast, Asio, concurrentqueue, xxhash or CLI11"

# GCC 12 destroys an aggregate temporary twice when it lives in a full expression with co_await. Statements are
# joined up to their semicolon or the first brace of a block; what is left must build no T{...} beside co_await.
for file in "${all[@]}"; do
  [[ $file == tests/toolchain_test.cpp || $file == tests/compile_fail/* ]] && continue
  code "$file" | awk -v file="$file" '
    { line = $0; gsub(/"([^"\\]|\\.)*"/, "\"\"", line)
      if (statement == "") start = NR
      statement = statement " " line
      if (line ~ /[;{}][ ]*$/) {
        if (statement ~ /co_await/ && statement ~ /[A-Za-z_0-9>]\{[^}]/ && statement !~ /NOLINT\(co_await\)/)
          print file ":" start ":" statement
        statement = ""
      } }'
done | forbid "GCC 12: no aggregate temporary T{...} in a statement with co_await (name it, or troupe::make)"

exit "$breaches"
