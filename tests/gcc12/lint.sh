#!/bin/bash
# Compares what gcc12.sh finds in this folder with the comments `// reported: SHAPE`: BUILD is the first argument.
set -uo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
found=$(../../cmake/gcc12.sh "$1" ./*.cpp)
case $? in 77) exit 77 ;; 2) exit 1 ;; esac
diff <(grep -nE '// reported: ' ./*.cpp | sed -E 's,^\./([^:]*:[0-9]*):.*// reported: (.*)$,\1 \2,' | sort) \
  <(sed -E 's,^.*/([^/:]*:[0-9]*):[0-9]*: ([a-z-]*):.*$,\1 \2,' <<<"$found" | sort -u) &&
  echo "every shape is reported where it is, and nothing else"
