// Who is in a slot: a generation, which stale addresses do not have, and the protocol that goes with it.
//
// Both change with each actor, and peers ask for the protocol of a generation that they name, be it that of an actor yet
// to come. So the generation is looked at on both sides of the protocol: before, it brings the end of the actor before,
// whose protocol is gone by then; behind it, it shows whether the protocol is a later actor's.
//
// | operation  | who                                     | synchronisation                                     |
// | begin      | the spawner, before anybody has the address | accepts_: release: the generation, to accepts   |
// | end        | home worker                             | accepts_: relaxed; generation_: release: that there |
// |            |                                         | is no protocol any more, to accepts                 |
// | generation | any thread                              | relaxed: a hint, and home decides                   |
// | accepts    | any thread                              | acquire loads of both, from end and begin           |
#pragma once

#include <cstdint>

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

struct protocol_info;

class tenancy {
 public:
  void begin(const protocol_info& accepts) noexcept {
    accepts_.store(&accepts, std::memory_order_release);  // to accepts
  }
  void end() noexcept {
    accepts_.store(nullptr, std::memory_order_relaxed);
    generation_.store(generation() + 1, std::memory_order_release);  // to accepts
  }
  std::uint32_t generation() const noexcept { return generation_.load(std::memory_order_relaxed); }
  /// Null: no actor of that generation is here.
  const protocol_info* accepts(std::uint32_t meant) const noexcept {
    if (generation_.load(std::memory_order_acquire) != meant) return nullptr;     // from end
    const protocol_info* const found = accepts_.load(std::memory_order_acquire);  // from begin
    return generation() == meant ? found : nullptr;
  }

 private:
  atomic<const protocol_info*> accepts_{nullptr};
  atomic<std::uint32_t> generation_{1};
};

}  // namespace troupe::detail
