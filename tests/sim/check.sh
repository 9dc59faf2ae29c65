#!/bin/bash
# check.sh SEEDS same_trace | usage | seeds CHECKED | found CHECKED LIST | canary CHECKED | mutants CHECKED PAGE: what ./dev sim promises of its
# programs, SEEDS of the shipped libraries and CHECKED.
set -euo pipefail
seeds=$1

fail() { echo "check.sh: $*" >&2; exit 1; }

exit_code() {  # CODE COMMAND...
  local wanted=$1 code=0
  shift
  output=$("$@" 2>&1) || code=$?
  [ "$code" = "$wanted" ] || fail "$* ended with $code, not $wanted: $output"
}

case $2 in
  same_trace)
    exit_code 0 "$seeds" --seeds 40 --first 7
    first=$(grep ^trace <<<"$output")
    exit_code 0 "$seeds" --seeds 40 --first 7
    [ "$first" = "$(grep ^trace <<<"$output")" ] || fail "the same seeds gave two traces"
    exit_code 0 "$seeds" --seeds 40 --first 8
    [ "$first" != "$(grep ^trace <<<"$output")" ] || fail "other seeds gave the same trace"
    ;;
  usage)
    exit_code 2 "$seeds"
    exit_code 2 "$seeds" --seeds 0
    exit_code 2 "$seeds" --seeds x
    exit_code 2 "$seeds" --seed 3 --seeds 4
    exit_code 2 "$seeds" --seed 3 --without nonsense
    [[ $output == *nonsense*short_io* ]] || fail "the kinds of faults are not named: $output"
    exit_code 0 "$seeds" --help
    ;;
  seeds)
    exit_code 0 "$3" --seeds 2000
    echo "$output"
    [[ $output == *", violations 0, "* ]] || fail "no last line"
    [[ $output =~ ", nodes "([0-9]+)", messages/seed "([0-9]+)"," ]] || fail "no last line"
    [ "${BASH_REMATCH[1]}" -ge 3 ] && [ "${BASH_REMATCH[2]}" -ge 2000 ] || fail "the seeds do little"
    ! grep -E " 0 +0$" <<<"$output" || fail "a kind of fault was never injected"
    ;;
  found)
    while read -ra flags; do
      exit_code 0 "$3" "${flags[@]}"
    done < <(sed 's/#.*//; /^$/d' "$4")
    ;;
  canary)
    exit_code 1 "$3" --canary
    grep -qE "^(accounting|loss|order): " <<<"$output" || fail "no oracle is named: $output"
    replay=$(grep -m1 -o "replay: ./dev sim .*" <<<"$output") || fail "no command to replay is told: $output"
    read -ra flags <<<"${replay#replay: ./dev sim }"
    exit_code 1 "$3" "${flags[@]}"
    exit_code 0 "$seeds" --seed "${flags[1]}"
    ;;
  mutants)
    exit_code 0 "$3" --mutants
    told=$(grep "^|" <<<"$output")
    page=$(sed -n '/^| mutant |/,/^$/p' "$4" | grep "^|")
    [ "$told" = "$page" ] || fail "$4 shows another table than ./dev sim --mutants:
$(diff <(echo "$page") <(echo "$told"))"
    ;;
  *) fail "unknown: $2" ;;
esac
