// Runs a small program of several threads in every order, with every value that the C++ memory model lets each load see.
//
// A program makes fresh objects and starts threads, which are fibers of one real thread: before each atomic operation
// the engine chooses who goes on, and for each load which of the stores it reads. The choices are a path through a
// tree; explore() walks it depth first, within limits on preemptions and on stale loads per run (most bugs need one or two:
// Musuvathi and Qadeer, "Iterative context bounding", 2007).
//
// The memory model is the view-based one (Kang et al., "A promising semantics for relaxed-memory concurrency", 2017,
// without promises): each location keeps all its stores; each thread has a view, the oldest store of each location
// that it may still read. A release store carries the writer's view along, an acquire load takes it over, fences do the
// same for what is around them, and seq_cst fences pass one common view round. A read-modify-write reads the latest
// store. Ordinary data (plain) is checked for races by the same views.
//
// What it cannot show: stores that become visible before earlier ones of the same thread (load buffering, store-store
// reordering that a read-modify-write observes), an order of a location's stores that is not the order in which they were
// executed (2+2W), and a weak compare-exchange that fails though it need not.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <set>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

namespace troupe::explorer {

using value = std::uint64_t;
using order = std::memory_order;

/// An atomic operation in the source that is stronger than relaxed.
struct site {
  std::string file;
  std::uint32_t line = 0;
  friend auto operator<=>(const site&, const site&) = default;
};

struct limits {
  unsigned preemptions = 3;  // per run: a thread that could go on does not
  unsigned stale_loads = 3;  // per run: a load that does not read the latest store
  unsigned steps = 400;      // of a run; a longer one never ends
  std::uint64_t runs = 3'000'000;
};

struct findings {
  std::string violation;  // empty: none
  std::string trace;      // of the run that violated
  std::uint64_t runs = 0;
  bool complete = false;   // every run within the limits was made
  std::set<site> ordered;  // the operations met
};

/// What a program is made of, in one run.
class run {
 public:
  virtual ~run() = default;
  virtual void thread(std::function<void()> body) = 0;
  /// After all threads have ended.
  virtual void at_end(std::function<void()> check) = 0;
};
using program = std::function<void(run&)>;

/// `weaker`: that operation is made relaxed (acq_rel if it is seq_cst); null: the program as it is.
findings explore(const program& p, const limits& most, const site* weaker = nullptr);

/// In a thread or a check: ends the run as a violation.
void require(bool holds, const char* what);

// What atomic.hpp is made of.
unsigned new_location(value initial);
value load(unsigned location, order o, const std::source_location& at);
void store(unsigned location, value v, order o, const std::source_location& at);
value exchange(unsigned location, const std::function<value(value)>& change, order o,
               const std::source_location& at);
/// The value read: `expected` means that `desired` was stored.
value compare_exchange(unsigned location, value expected, value desired, order success, order failure,
                       const std::source_location& at);
void fence(order o, const std::source_location& at = std::source_location::current());
unsigned new_datum();
void read_datum(unsigned datum);
void write_datum(unsigned datum);

/// A thread waits for it without using the processor: an eventfd, a futex. Signals do not add up.
class event {
 public:
  event();
  void signal();
  void wait();

 private:
  unsigned number_;
};

/// Data that is no atomic: two threads may not touch it at the same time.
template <class T>
class plain {
 public:
  explicit plain(T v = T()) : datum_(new_datum()), value_(std::move(v)) {}
  const T& get() const {
    read_datum(datum_);
    return value_;
  }
  void set(T v) {
    write_datum(datum_);
    value_ = std::move(v);
  }

 private:
  unsigned datum_;
  T value_;
};

}  // namespace troupe::explorer
