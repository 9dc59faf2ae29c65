// The sender's side of credit: the destinations that one stream sends to, each with a window of bytes that
// the peer grants it, the routes learnt for it, and the senders who wait.
//
// A window is an index that both sides know, below the peer's limit. A destination holds one while any of its
// bytes is out; once the whole window has come back it is idle, and the longest idle one gives its index and
// its routes to a newcomer. So both tables are bounded, and a destination that takes nothing keeps only its
// own window. What a message costs and what a window allows: credit.hpp. A destination whose message goes in chunks sends
// nothing else until the last of them has gone. While some are crowded nobody else overdraws: else the large would wait for ever
// behind the middling.
//
// | state    | window | waiters | in list  | leaves it when                                   |
// | idle     | full   | none    | idle     | something is sent, or a newcomer takes the index |
// | active   | partly | none    | –        | all credit is back                               |
// | starved  | partly | some    | –        | credit comes back, or the last chunk has gone    |
// | crowded  | partly | some    | crowded  | it is the first, and the overdrafts have shrunk  |
// | ready    | any    | some    | ready    | the stream tries its waiters                     |
// | homeless | none   | some    | homeless | an index is free                                 |
//
// Touched by the stream's own worker alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "credit.hpp"

namespace troupe::detail {

/// A doubly linked list through the elements; an element is in at most one.
template <class T>
class chain {
 public:
  struct link {
    T* prev = nullptr;
    T* next = nullptr;
    chain* in = nullptr;
  };
  T* front() const noexcept { return front_; }
  bool empty() const noexcept { return front_ == nullptr; }
  void push_back(T& t) noexcept {
    t.place = {back_, nullptr, this};
    (back_ != nullptr ? back_->place.next : front_) = &t;
    back_ = &t;
  }
  static void remove(T& t) noexcept {
    chain* const c = t.place.in;
    if (c == nullptr) return;
    (t.place.prev != nullptr ? t.place.prev->place.next : c->front_) = t.place.next;
    (t.place.next != nullptr ? t.place.next->place.prev : c->back_) = t.place.prev;
    t.place = {};
  }

 private:
  T* front_ = nullptr;
  T* back_ = nullptr;
};

class destination_table;

struct destination {
  static constexpr std::uint32_t no_window = ~0u;
  struct route {
    const wire_type* type;
    std::uint32_t number;
  };

  destination(destination_table& t, std::uint64_t target_name) noexcept : table(t), target(target_name) {}

  const route* find(const wire_type* type) const noexcept {
    for (const route& r : routes) {
      if (r.type == type) return &r;
    }
    return nullptr;
  }
  bool has_waiters() const noexcept { return first != nullptr; }

  destination_table& table;
  std::uint64_t target;
  std::uint32_t window = no_window;
  std::uint32_t out = 0;      // bytes that have not been given back
  std::uint32_t chunked = 0;  // of `out`, the cost of a message that goes in chunks and has not gone yet
  bool crowded = false;       // only the stream's overdrafts kept its first waiter back
  std::vector<route> routes;
  room_waiter* first = nullptr;
  room_waiter* last = nullptr;
  chain<destination>::link place;
};

class destination_table {
 public:
  /// `retry` is asked for whenever a waiter may have become able to go on.
  destination_table(const credit_limits& l, worker& on, deferred& retry) noexcept
      : limits_(l), on_(on), retry_(retry) {
    limits_.windows = std::min(limits_.windows, limits_.routes);  // so that each can have a route
  }
  destination_table(const destination_table&) = delete;
  destination_table& operator=(const destination_table&) = delete;

  destination* find(std::uint64_t target) noexcept;
  /// The destination, with a window; null if every window is in use.
  destination* open(std::uint64_t target);
  /// A number for a new route of `d`, which has a window. A route can be taken over at any time, because the
  /// peer learns the new meaning in the stream's order.
  std::uint32_t route_number(destination& d);

  bool has_credit(destination& d, std::uint64_t cost, bool is_large = false) noexcept {
    d.crowded = false;
    return limits_.lets_pass(d.out, cost) || may_overdraw(d, cost, is_large);
  }
  void spend(destination& d, std::uint32_t bytes) noexcept;
  /// The peer gives bytes back; false if that is more than it can owe.
  bool give_back(std::uint32_t window, std::uint32_t bytes);
  /// A message to `d` goes in chunks; all of them have gone.
  void begin_chunks(destination& d, std::uint32_t cost) noexcept { d.chunked = cost; }
  void end_chunks(destination& d);

  void wait(room_waiter& w);
  static void remove(room_waiter& w) noexcept;

  /// The next destination whose waiters should be tried; null if none is ready.
  destination* next_ready();
  /// It was tried and the lane was full: it is tried again.
  void not_tried() noexcept { try_crowded_ = true; }
  /// After a try: no longer ready, because its first waiter lacks credit or nobody waits.
  void settle(destination& d);
  /// Takes any waiter off; null when nobody waits.
  room_waiter* take_any() noexcept;

  std::size_t size() const noexcept { return all_.size(); }

 private:
  bool may_overdraw(destination& d, std::uint64_t cost, bool is_large) noexcept;
  bool give_window(destination& d);
  void evict(destination& d);
  void house_homeless();
  void make_ready(destination& d);
  void go_on(destination& d);
  void forget(destination& d);
  void leave(destination& d) noexcept;
  void count_out(destination& d, std::uint32_t out) noexcept;

  credit_limits limits_;
  std::uint64_t overdrafts_ = 0;  // of all destinations together
  worker& on_;
  deferred& retry_;
  std::unordered_map<std::uint64_t, std::unique_ptr<destination>> all_;
  destination* last_ = nullptr;  // that was opened: it has a window
  std::vector<destination*> by_window_;
  std::vector<std::uint32_t> free_windows_;
  std::vector<std::uint32_t> free_routes_;
  std::uint32_t routes_made_ = 0;
  chain<destination> idle_;
  chain<destination> ready_;
  chain<destination> homeless_;
  chain<destination> crowded_;
  bool try_crowded_ = false;  // the first of them
};

}  // namespace troupe::detail
