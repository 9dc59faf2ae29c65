// What the ledger stage knows: the file, how much of it is written, and how long the orders were on their way.
// Belongs to one actor.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <troupe/env.hpp>
#include <utility>

#include "ledger.hpp"
#include "stages.hpp"

namespace orders {

class ledger_book {
 public:
  explicit ledger_book(ledger_writer writer) : writer_(std::move(writer)) {}

  /// The first entry of a line counts: those of later runs are the same (stages.hpp).
  void add(const entry& e, troupe::duration on_its_way) {
    if (ended() || writer_.has(e.line)) return;
    waited_ += static_cast<std::uint64_t>(std::max(on_its_way.count(), troupe::duration::rep{0}));
    ++added_;
    if (const auto added = writer_.add(e); !added) return fail(added.error().text);
    finish_if_complete();
  }

  /// There are so many lines.
  void close(std::uint64_t lines) {
    lines_ = lines;
    finish_if_complete();
  }

  /// The first reason stays; after the end nothing can fail any more.
  void fail(std::string why) {
    if (!ended()) failure_ = std::move(why);
  }

  std::uint64_t written() const { return writer_.written(); }
  ledger_report report() const {
    return {written(), added_ == 0 ? 0 : waited_ / added_, finished_, failure_};
  }

 private:
  bool ended() const { return finished_ || !failure_.empty(); }

  void finish_if_complete() {
    if (ended() || lines_ != written()) return;
    if (const auto done = writer_.finish(*lines_); !done) return fail(done.error().text);
    finished_ = true;
  }

  ledger_writer writer_;
  std::optional<std::uint64_t> lines_;  // known when the gateway has closed
  std::uint64_t added_ = 0;
  std::uint64_t waited_ = 0;  // nanoseconds, of all that were added
  bool finished_ = false;
  std::string failure_;
};

}  // namespace orders
