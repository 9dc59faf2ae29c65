// An account is an actor: deposits are sent, the balance is asked for.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <troupe/troupe.hpp>

using namespace std::chrono_literals;

struct deposit {  // a message is a plain struct
  std::int64_t cents;
};
struct balance {  // `reply` makes it a request
  using reply = std::int64_t;
};
using account = troupe::protocol<deposit, balance>;  // what this actor's mailbox accepts

troupe::actor run_account(troupe::self<account> self, std::int64_t cents) {
  co_await self.serve([&](deposit d) { cents += d.cents; },
                      [&](balance) { return cents; });  // the return value is the reply
}

troupe::task<int> bank(troupe::node& node) {
  auto acc = node.spawn(run_account, 0);                // troupe::ref<account>
  co_await acc.send<deposit>(250);                      // waits only when the mailbox is full
  auto cents = co_await acc.ask<balance>().within(1s);  // troupe::result<std::int64_t>
  std::printf("balance: %lld cents\n", cents ? static_cast<long long>(*cents) : -1);
  co_return cents ? 0 : 1;
}

int main(int argc, char** argv) { return troupe::run(argc, argv, bank); }
