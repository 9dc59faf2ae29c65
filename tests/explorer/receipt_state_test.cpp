// A sender gives its wait for room up while the target lets the message in.
#include "explorer/models.hpp"

#include <memory>

#include <troupe/detail/inlet.hpp>
#include <troupe/detail/receipt_state.hpp>

using namespace troupe::explorer;
using troupe::detail::letter;
using troupe::detail::letter_kind;

namespace {

struct waiting_receipt : letter {
  waiting_receipt() : letter(letter_kind::receipt) {}
  plain<int> ticket;
  plain<int> outcome;
  troupe::detail::receipt_state state;
  int freed = 0;

  void free() {
    ticket.set(0);
    outcome.set(0);
    ++freed;
  }
};

struct wait_model {
  waiting_receipt receipt;
  troupe::detail::inlet target;
  troupe::detail::inlet sender;
  event target_posted;
  event sender_posted;
  bool delivered = false;
  bool given_up = false;

  void send() {
    receipt.ticket.set(1);
    if (target.push(receipt)) target_posted.signal();
    require(receipt.ticket.get() == 1, "the receipt is freed while its sender has it");
    given_up = receipt.state.cancel();
    if (given_up) return;
    sender_posted.wait();
    require(sender.take() == &receipt && receipt.outcome.get() == 1,
            "a receipt comes home without an outcome");
    receipt.free();
  }
  void admit() {
    target_posted.wait();
    require(target.take() == &receipt, "a post without a letter");
    if (receipt.state.cancelled()) return receipt.free();  // as a queue that is cleared of what was given up
    if (!receipt.state.settle()) return receipt.free();
    delivered = true;
    receipt.outcome.set(1);
    if (sender.push(receipt)) sender_posted.signal();
  }
};

}  // namespace

TEST_CASE("models: a message that waits is either let in or given up, and its receipt is freed once") {
  check_model("receipt_state.hpp", {.ordered = 3, .needed = 3}, [](run& r) {
    const auto m = std::make_shared<wait_model>();
    r.thread([=] { m->send(); });
    r.thread([=] { m->admit(); });
    r.at_end([=] {
      require(m->delivered != m->given_up, "a message is delivered and called unsent, or neither");
      require(m->receipt.freed == 1, "a receipt is not freed once");
    });
  });
}
