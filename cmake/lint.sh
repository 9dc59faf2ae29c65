#!/bin/bash
# The conventions that a compiler does not check (gcc12.sh checks co_await expressions). Prints each breach and ends with 1 if there is any.
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
mapfile -t headers < <(printf '%s\n' "${all[@]}" | grep '\.hpp$')
mapfile -t modules < <(printf '%s\n' "${all[@]}" | grep -E '^(runtime|transport|actors)/')
mapfile -t above_env < <(printf '%s\n' "${modules[@]}" | grep -vE '^runtime/(os|sim)/')
mapfile -t public < <(printf '%s\n' "${modules[@]}" | grep '/troupe/')

matches() {  # REGEX FILE...: the lines of code that match, without comments that stand alone or end a line
  local regex=$1
  shift
  grep -nHE -- "$regex" "$@" | sed 's,  // .*,,' | grep -vE '^[^:]+:[0-9]+: *//' | grep -E -- "$regex"
}

wc -l "${all[@]}" | awk '$2 != "total" && $1 > ($2 ~ /^tests\// ? 600 : 500) { print $2 ": " $1 " lines" }' |
  forbid "no file is longer than 500 lines, no test file than 600"

header_names=" ${headers[*]##*/} "  # x.cpp may leave the comment to x.hpp
for file in "${all[@]}"; do
  name=${file##*/}
  if [[ $name == *.cpp && $header_names == *" ${name%.cpp}.hpp "* ]]; then continue; fi
  { read -r first; read -r second; } <"$file"
  [[ $first == //* || $first == '#include "catch.hpp"' || $second == //* ]] || echo "$file"
done | forbid "each file opens with a comment on its one concept"

grep -L '^#pragma once' "${headers[@]}" | forbid "a header has #pragma once"

printf '%s\n' "${modules[@]##*/}" | sort | uniq -d | forbid "file names are unique across the modules"

comm -23 <(printf '%s\n' "${headers[@]##*/}" | sort -u) \
  <(grep -hoE '^#include [<"][^>"]+' "${all[@]}" tests/*/*.md README.md | sed -E 's,.*[/<"],,' | sort -u) |
  forbid "a header that nothing includes is dead"

grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "${all[@]}" | forbid "open ends belong in an issue"

grep -nE 'TEST_CASE(_METHOD)?\("[^"]*;' tests/*.cpp |
  forbid "a test's name has no semicolon, at which CMake would cut it in two"

matches '_clock::now|random_device|std::rand|mt19937|sleep_for|sleep_until|gettimeofday|clock_gettime|getrandom' \
  "${above_env[@]}" | forbid "outside runtime/os/ and runtime/sim/, time and chance come from troupe::env"

matches '#include <(sys/|unistd|fcntl|poll|signal|csignal|netinet|netdb|pthread|linux/|liburing|ctime|random)' \
  "${above_env[@]}" | forbid "outside runtime/os/ and runtime/sim/, the kernel is reached through troupe::env"

matches '#include <(liburing|openssl|boost/beast|boost/asio|concurrentqueue|xxhash|CLI)' "${public[@]}" |
  forbid "a public header includes no liburing, OpenSSL, Beast, Asio, concurrentqueue, xxhash or CLI11"

exit "$breaches"
