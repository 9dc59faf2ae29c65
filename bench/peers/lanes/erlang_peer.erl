%% Erlang's distribution: processes of two nodes. Started by erlang_peer.sh; this node starts the other one the same way.
-module(erlang_peer).
-export([main/0]).

main() ->
    case init:get_plain_arguments() of
        ["list"] ->
            [io:format("erlang ~s 1 free~n", [Name]) || {Name, _} <- cases()],
            halt(0);
        ["measure", _, Name, "1", "free" | Rest] ->
            {_, Measure} = lists:keyfind(Name, 1, cases()),
            %% In a process of its own, whose mailbox nothing else has touched.
            {_, Monitor} = spawn_monitor(fun() -> exit({value, Measure(find_far(start_far()), Rest =/= [])}) end),
            receive
                {'DOWN', Monitor, process, _, {value, Value}} -> io:format("~w~n", [float(Value)]), halt(0);
                {'DOWN', Monitor, process, _, Why} -> io:format(standard_error, "erlang: ~p~n", [Why]), halt(1)
            end;
        ["far" | _] ->
            register(far, spawn(fun() -> far(0) end)),
            io:format("here~n"),
            eof = io:get_line(""),
            halt(0)
    end.

cases() ->
    [{"rtt_awake", fun(Far, Q) -> rtt(Far, times(Q, 10000), awake) end},
     {"rtt_asleep", fun(Far, Q) -> rtt(Far, times(Q, 500), asleep) end},
     {"oneway", fun(Far, Q) -> oneway(Far, times(Q, 1000000), 64 - 8) end}] ++
        [{Name, fun(Far, Q) -> oneway(Far, times(Q, (1 bsl 30) div Bytes), Bytes) end}
         || {Name, Bytes} <- [{"oneway_1k", 1 bsl 10}, {"oneway_64k", 1 bsl 16}, {"oneway_1m", 1 bsl 20}]].

times(Quick, Full) -> case Quick of true -> max(1, Full div 100); false -> Full end.
sum_below(N) -> N * (N - 1) div 2.
now_ns() -> erlang:monotonic_time(nanosecond).

%% Its node ends when this one's end of the pipe is closed, however that comes about.
start_far() ->
    Program = filename:join(filename:dirname(code:which(?MODULE)), "erlang_peer"),
    {ok, [[Port]]} = init:get_argument(erl_epmd_port),
    Far = ["far", Port, atom_to_list(erlang:get_cookie())],
    Pipe = open_port({spawn_executable, Program}, [{args, Far}, {line, 80}]),
    receive {Pipe, {data, {eol, "here"}}} -> ok after 20000 -> exit(no_far_node) end.

find_far(ok) ->
    {far, 'far@127.0.0.1'} ! {whoami, self()},
    receive {far, Far} -> Far after 20000 -> exit(no_far_process) end.

far(Sum) ->
    receive
        {one, N, Bytes} -> far(Sum + N + binary:last(Bytes));
        {back, To, N, Bytes} -> To ! {N, Bytes}, far(Sum);
        {total, To} -> To ! {total, Sum}, far(Sum);
        {whoami, To} -> To ! {far, self()}, far(Sum)
    end.

%% The near process.

rtt(Far, Rounds, Pause) ->
    Bytes = binary:copy(<<1>>, 64 - 8),
    {Sum, Ns} = play(Far, Bytes, Pause, 0, Rounds, 0, 0),
    Sum = sum_below(Rounds),
    Ns / Rounds.
play(_, _, _, Rounds, Rounds, Sum, Ns) -> {Sum, Ns};
play(Far, Bytes, Pause, I, Rounds, Sum, Ns) ->
    case Pause of asleep -> timer:sleep(1); awake -> ok end,
    Start = now_ns(),
    Far ! {back, self(), I, Bytes},
    receive {N, _} -> play(Far, Bytes, Pause, I + 1, Rounds, Sum + N, Ns + now_ns() - Start) end.

%% The distribution suspends a sender that is far ahead.
oneway(Far, Count, Size) ->
    Bytes = binary:copy(<<1>>, Size),
    Start = now_ns(),
    send(Far, Bytes, 0, Count),
    Far ! {total, self()},
    Sum = receive {total, N} -> N end,
    Rate = Count * 1000 / (now_ns() - Start),
    Sum = sum_below(Count) + Count,
    Rate.
send(_, _, Count, Count) -> ok;
send(Far, Bytes, I, Count) -> Far ! {one, I, Bytes}, send(Far, Bytes, I + 1, Count).
