#!/bin/bash
# Runs erlang_peer.beam, which lies beside it, with as many schedulers as the case has workers: the near node, which starts the
# far one the same way. They find each other without epmd, at a port that both know: one below those that the kernel gives away.
command=${1:-} workers=1 names=()
case $command in
  measure) workers=$4 names=(-name near@127.0.0.1 -dist_listen false -erl_epmd_port $((20000 + $$ % 12000))
                             -setcookie "bench-$RANDOM$RANDOM$RANDOM") ;;
  far) names=(-name far@127.0.0.1 -erl_epmd_port "$2" -setcookie "$3") ;;
esac
exec erl +S "$workers:$workers" -noshell -pa "$(dirname "$0")" "${names[@]}" -start_epmd false \
  -kernel inet_dist_use_interface '{127,0,0,1}' -s erlang_peer main -extra "$@"
