// A value that one thread stores and any other reads: whoever reads it sees what was done before it was stored.
//
// | operation | who                                                  | synchronisation                        |
// | store     | one thread at a time                                 | release: what was done before, to load |
// | load      | any thread                                           | acquire: from store                    |
// | own       | who stores it, or was told by who did (mutex, letter) | relaxed                                |
#pragma once

#include <troupe/detail/atomic.hpp>

namespace troupe::detail {

template <class T>
class published {
 public:
  void store(T v) noexcept { value_.store(v, std::memory_order_release); }    // to load
  T load() const noexcept { return value_.load(std::memory_order_acquire); }  // from store
  T own() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  atomic<T> value_{T()};
};

}  // namespace troupe::detail
