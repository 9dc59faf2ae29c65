#!/bin/bash
# Runs erlang_peer.beam, which lies beside it, with as many schedulers as the case has workers.
workers=1
if [ "${1:-}" = measure ]; then workers=$4; fi
exec erl +S "$workers:$workers" +P 2000000 +sbwt none -noshell -noinput -pa "$(dirname "$0")" -s erlang_peer main -extra "$@"
