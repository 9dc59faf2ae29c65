// Hello, actor: one message type, one actor, one question.
#include <cstdio>
#include <troupe/troupe.hpp>
struct greet {
  using reply = int;
};
troupe::actor greeter(troupe::self<greet> self) {
  co_await self.serve([](greet) { return std::puts("hello, actor") < 0; });
}
troupe::task<int> hello(troupe::node& node) { co_return (co_await node.spawn(greeter).ask<greet>()).value(); }
int main(int argc, char** argv) { return troupe::run(argc, argv, hello); }
