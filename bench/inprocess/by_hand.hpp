// What the yardsticks are made of: coroutines on one thread with bounded queues and a list of those that can run, and a
// ring between two threads. Written for the case at hand, as somebody would who needs no runtime.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "bench_case.hpp"

namespace bench::by_hand {

/// The coroutines that can run, first come, first served; one thread.
class run_list {
 public:
  struct entry {
    entry* next = nullptr;
    std::coroutine_handle<> frame;
  };
  void push(entry& e) noexcept {
    e.next = nullptr;
    (tail_ != nullptr ? tail_->next : head_) = &e;
    tail_ = &e;
  }
  void run() {
    while (head_ != nullptr) {
      entry& e = *head_;
      head_ = e.next;
      if (head_ == nullptr) tail_ = nullptr;
      e.frame.resume();
    }
  }

 private:
  entry* head_ = nullptr;
  entry* tail_ = nullptr;
};

/// A coroutine that begins at once and is destroyed by whoever holds it.
class routine {
 public:
  struct promise_type {
    routine get_return_object() noexcept {
      return routine(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
  };
  routine() noexcept = default;
  explicit routine(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  routine(routine&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  routine& operator=(routine&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~routine() {
    if (frame_) frame_.destroy();
  }

 private:
  std::coroutine_handle<promise_type> frame_;
};

/// A bounded queue with one reader; whoever finds it full or empty waits. One thread.
template <class T, std::size_t Room = 1024>
class mailbox {
 public:
  explicit mailbox(run_list& all) : all_(all), items_(std::make_unique<T[]>(Room)) {}

  auto pop() noexcept {
    struct awaiter {
      mailbox& of;
      bool await_ready() const noexcept { return of.first_ != of.last_; }
      void await_suspend(std::coroutine_handle<> reader) const noexcept { of.reader_.frame = reader; }
      T await_resume() const noexcept {
        T item = std::move(of.items_[of.first_++ % Room]);
        if (of.writer_.frame && of.last_ - of.first_ <= Room / 2) of.wake(of.writer_);
        return item;
      }
    };
    return awaiter{*this};
  }
  /// For one writer at a time that waits.
  auto push(T item) noexcept {
    struct awaiter {
      mailbox& of;
      T item;
      bool await_ready() const noexcept { return of.last_ - of.first_ != Room; }
      void await_suspend(std::coroutine_handle<> writer) const noexcept { of.writer_.frame = writer; }
      void await_resume() noexcept {
        of.items_[of.last_++ % Room] = std::move(item);
        if (of.reader_.frame) of.wake(of.reader_);
      }
    };
    return awaiter{*this, std::move(item)};
  }

 private:
  struct sleeper : run_list::entry {};
  void wake(run_list::entry& e) noexcept {
    running_[turn_ ^= 1].frame = std::exchange(e.frame, nullptr);
    all_.push(running_[turn_]);
  }

  run_list& all_;
  std::unique_ptr<T[]> items_;
  std::size_t first_ = 0;
  std::size_t last_ = 0;
  run_list::entry reader_;
  run_list::entry writer_;
  std::array<run_list::entry, 2> running_;  // at most one reader and one writer are on their way
  unsigned turn_ = 0;
};

/// Runs source(mailbox) and sink(mailbox, sum) against each other to their end; messages a second, in millions.
template <class T, class Source, class Sink>
double stream_rate(std::uint64_t count, std::int64_t expected, Source&& source, Sink&& sink) {
  run_list all;
  mailbox<T> between(all);
  std::int64_t sum = 0;
  const stopwatch watch;
  const routine taking = sink(between, sum);
  const routine sending = source(between);
  all.run();
  const double rate = watch.millions_per_second(count);
  check(sum == expected, "a stream by hand: the sum is wrong");
  return rate;
}

/// A ring between two threads that spin; each side looks at the other's index only when it has to (Lamport, 1983).
template <class T, std::size_t Room = 1024>
class ring {
 public:
  void push(T item) noexcept {
    const std::size_t at = written_.load(std::memory_order_relaxed);
    while (at - seen_read_ == Room) seen_read_ = read_.load(std::memory_order_acquire);
    items_[at % Room] = item;
    written_.store(at + 1, std::memory_order_release);
  }
  T pop() noexcept {
    const std::size_t at = read_.load(std::memory_order_relaxed);
    while (at == seen_written_) seen_written_ = written_.load(std::memory_order_acquire);
    const T item = items_[at % Room];
    read_.store(at + 1, std::memory_order_release);
    return item;
  }
  /// The same for many: read_ and written_ move once a batch.
  template <class Make>
  void push_all(std::size_t count, Make&& make) noexcept {
    std::size_t at = written_.load(std::memory_order_relaxed);
    for (const std::size_t end = at + count; at != end;) {
      while (at - seen_read_ == Room) seen_read_ = read_.load(std::memory_order_acquire);
      const std::size_t stop = std::min({end, seen_read_ + Room, at + 64});
      for (; at != stop; ++at) items_[at % Room] = make();
      written_.store(at, std::memory_order_release);
    }
  }
  template <class Take>
  void pop_all(std::size_t count, Take&& take) noexcept {
    std::size_t at = read_.load(std::memory_order_relaxed);
    for (const std::size_t end = at + count; at != end;) {
      while (at == seen_written_) seen_written_ = written_.load(std::memory_order_acquire);
      const std::size_t stop = std::min(end, seen_written_);
      for (; at != stop; ++at) take(items_[at % Room]);
      read_.store(at, std::memory_order_release);
    }
  }

 private:
  alignas(128) std::atomic<std::size_t> written_{0};
  std::size_t seen_read_ = 0;  // the writer's
  alignas(128) std::atomic<std::size_t> read_{0};
  std::size_t seen_written_ = 0;  // the reader's
  alignas(128) std::array<T, Room> items_;
};

/// Keeps the calling thread on one processor.
void pin(unsigned processor);

}  // namespace bench::by_hand
