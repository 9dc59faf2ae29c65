// Hello, actor: the smallest program against the installed package.
#include <chrono>
#include <cstdio>
#include <string>
#include <troupe/troupe.hpp>

struct greet {
  std::string name;
  using reply = std::string;
};

troupe::actor greeter(troupe::self<troupe::protocol<greet>> self) {
  co_await self.serve([](const greet& g) { return "hello, " + g.name; });
}

troupe::task<int> hello(troupe::node& node) {
  auto someone = node.spawn(greeter);
  auto reply = co_await someone.ask<greet>("actor").within(std::chrono::seconds(5));
  std::puts(reply ? reply->c_str() : "no reply");
  co_return reply && *reply == "hello, actor" ? 0 : 1;
}

int main(int argc, char** argv) { return troupe::run(argc, argv, hello); }
