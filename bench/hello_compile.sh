#!/bin/bash
# Compile time of the hello actor (examples/hello.cpp) at -O0, median of five, per compiler. Target: 3 s at most.
set -euo pipefail
cd "$(dirname "$0")/.."
for compiler in g++ clang++-19; do
  command -v "$compiler" >/dev/null || continue
  times=()
  for _ in 1 2 3 4 5; do
    start=$(date +%s%N)
    "$compiler" -std=c++20 -O0 -Iruntime -Itransport -Iactors -c examples/hello.cpp -o /dev/null
    times+=($((($(date +%s%N) - start) / 1000000)))
  done
  median=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 3p)
  echo "hello actor, $compiler -O0: $median ms (runs: ${times[*]}; target 3000)"
done
