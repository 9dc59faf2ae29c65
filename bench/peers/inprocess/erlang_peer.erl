%% Erlang: processes and their mailboxes. Started by erlang_peer.sh, which gives it so many schedulers as a case has workers.
-module(erlang_peer).
-export([main/0]).

main() ->
    try
        case init:get_plain_arguments() of
            ["list"] ->
                [io:format("erlang ~s ~b free~n", [Name, Workers]) || {Name, Workers, _} <- cases()],
                halt(0);
            ["measure", _, Name, Workers, "free" | Rest] ->
                Wanted = list_to_integer(Workers),
                [Measure] = [F || {N, W, F} <- cases(), N =:= Name, W =:= Wanted],
                %% In a process of its own, whose mailbox nothing else has touched.
                Self = self(),
                spawn(fun() -> Self ! {value, Measure(Rest =/= [])} end),
                receive {value, Value} -> io:format("~w~n", [float(Value)]) end,
                halt(0)
        end
    catch
        _:Why ->
            io:format(standard_error, "erlang: ~p~n", [Why]),
            halt(1)
    end.

cases() ->
    lists:append([[{"pingpong", W, fun pingpong/1},
                   {"stream", W, fun(Q) -> fanin(Q, 1) end},
                   {"fanin", W, fun(Q) -> fanin(Q, 100) end},
                   {"ring", W, fun ring/1},
                   {"skynet", W, fun skynet/1},
                   {"big", W, fun big/1}] || W <- [1, 2]]) ++
        [{"spawn", 1, fun(Q) -> idle(Q, time) end},
         {"idle_bytes", 1, fun(Q) -> idle(Q, memory) end},
         {"ask", 1, fun ask/1},
         {"timer", 1, fun(Q) -> timer(Q, 10) end},
         {"timer_1000000", 1, fun(Q) -> timer(Q, 1000000) end},
         {"select", 1, fun select/1}] ++
        [{"fanin_" ++ integer_to_list(N), 2, fun(Q) -> fanin(Q, N) end} || N <- [1, 10, 1000]].

times(Quick, Full) -> case Quick of true -> Full div 100; false -> Full end.
sum_below(N) -> N * (N - 1) div 2.
now_ns() -> erlang:monotonic_time(nanosecond).
ns_each(Start, N) -> (now_ns() - Start) / N.
millions_per_second(Start, N) -> N * 1000 / (now_ns() - Start).

pingpong(Quick) ->
    Rounds = times(Quick, 1000000),
    Pong = spawn(fun pong/0),
    Start = now_ns(),
    Sum = play(Pong, 0, Rounds, 0),
    Each = ns_each(Start, Rounds),
    Sum = sum_below(Rounds),
    Each.
pong() -> receive {From, N} -> From ! N, pong() end.
play(_, Rounds, Rounds, Sum) -> Sum;
play(Pong, I, Rounds, Sum) ->
    Pong ! {self(), I},
    receive N -> play(Pong, I + 1, Rounds, Sum + N) end.

%% Mailboxes have no bound: what is not summed yet waits in memory.
fanin(Quick, Senders) ->
    Each = times(Quick, 2000000) div Senders + 1,
    Start = now_ns(),
    Self = self(),
    [spawn(fun() -> send(Self, 0, Each) end) || _ <- lists:seq(1, Senders)],
    Sum = sum(Each * Senders, 0),
    Rate = millions_per_second(Start, Each * Senders),
    Sum = Senders * sum_below(Each),
    Rate.
send(_, Count, Count) -> ok;
send(To, I, Count) -> To ! I, send(To, I + 1, Count).
sum(0, Sum) -> Sum;
sum(Left, Sum) -> receive N -> sum(Left - 1, Sum + N) end.

ring(Quick) ->
    Members = 100,
    Hops = times(Quick, 1000000) div Members * Members,
    First = lists:foldl(fun(_, Next) -> spawn(fun() -> pass(Next) end) end, self(), lists:seq(2, Members)),
    Start = now_ns(),
    0 = around(First, Hops),
    ns_each(Start, Hops).
pass(Next) -> receive N -> Next ! N - 1, pass(Next) end.
around(_, 0) -> 0;
around(First, Left) -> First ! Left - 1, receive N -> around(First, N) end.

resident() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:lexemes(binary_to_list(Text), " "),
    list_to_integer(Pages) * 4096.

idle(Quick, What) ->
    Count = times(Quick, 1000000),
    Self = self(),
    Before = resident(),
    Start = now_ns(),
    [spawn(fun() -> Self ! begun, receive never -> ok end end) || _ <- lists:seq(1, Count)],
    begun(Count),
    Each = ns_each(Start, Count),
    case What of time -> Each; memory -> (resident() - Before) / Count end.
begun(0) -> ok;
begun(Left) -> receive begun -> begun(Left - 1) end.

skynet(Quick) ->
    Leaves = times(Quick, 1000000),
    Start = now_ns(),
    Self = self(),
    spawn(fun() -> skynet(Self, 0, Leaves) end),
    Sum = receive N -> N end,
    Seconds = (now_ns() - Start) / 1.0e9,
    Sum = sum_below(Leaves),
    Seconds.
skynet(Parent, First, 1) -> Parent ! First;
skynet(Parent, First, Leaves) ->
    Self = self(),
    [spawn(fun() -> skynet(Self, First + I * (Leaves div 10), Leaves div 10) end) || I <- lists:seq(0, 9)],
    Parent ! sum(10, 0).

ask(Quick) ->
    Count = times(Quick, 1000000),
    Server = spawn(fun double/0),
    Start = now_ns(),
    Sum = ask(Server, 0, Count, 0),
    Each = ns_each(Start, Count),
    Sum = 2 * sum_below(Count),
    Each.
double() -> receive {From, Mark, N} -> From ! {Mark, 2 * N}, double() end.
ask(_, Count, Count, Sum) -> Sum;
ask(Server, I, Count, Sum) ->
    Mark = monitor(process, Server),
    Server ! {self(), Mark, I},
    receive
        {Mark, N} -> demonitor(Mark, [flush]), ask(Server, I + 1, Count, Sum + N)
    after 1000 -> exit(late)
    end.

timer(Quick, Others) ->
    [erlang:send_after(3600000 + I * 7919 rem 86400000, self(), 1) || I <- lists:seq(1, Others)],
    Count = times(Quick, 1000000),
    Start = now_ns(),
    arm(Count),
    ns_each(Start, Count).
arm(0) -> ok;
arm(Left) -> erlang:cancel_timer(erlang:send_after(1000, self(), Left)), arm(Left - 1).

big(Quick) ->
    Members = case Quick of true -> 20; false -> 500 end,
    Self = self(),
    All = [spawn(fun() -> big_member(Self) end) || _ <- lists:seq(1, Members)],
    Start = now_ns(),
    [M ! {all, All} || M <- All],
    Sum = sum(Members, 0),
    Messages = 2 * Members * (Members - 1),
    Rate = millions_per_second(Start, Messages),
    Sum = Members * (Members - 1),
    Rate.
big_member(Done) ->
    Self = self(),
    receive {all, All} -> ok end,
    [M ! {ping, Self, 1} || M <- All, M =/= Self],
    answer(2 * (length(All) - 1), 0, Done).
answer(0, Sum, Done) -> Done ! Sum;
answer(Left, Sum, Done) ->
    receive
        {ping, From, N} -> From ! {pong, N}, answer(Left - 1, Sum, Done);
        {pong, N} -> answer(Left - 1, Sum + N, Done)
    end.

select(Quick) ->
    Count = times(Quick, 500000),
    Self = self(),
    Chooser = spawn(fun() -> choose(Self) end),
    [Chooser ! {other, I} || I <- lists:seq(1, 100)],
    Start = now_ns(),
    Sum = chosen(Chooser, 0, Count, 0),
    Each = ns_each(Start, Count),
    Sum = sum_below(Count),
    Each.
choose(To) -> receive {number, N} -> To ! N, choose(To) end.
chosen(_, Count, Count, Sum) -> Sum;
chosen(Chooser, I, Count, Sum) ->
    Chooser ! {number, I},
    receive N -> chosen(Chooser, I + 1, Count, Sum + N) end.
