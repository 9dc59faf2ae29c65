#include "blocking_pool.hpp"

#include <utility>

namespace troupe::detail {

errc blocking_pool::take(env& world, job what) {
  std::unique_lock lock(room_.guard);
  if (over_) return errc::stopped;
  if (calls_ >= most_threads_ + most_calls_) return errc::full;
  if (idle_ <= waiting_.size() && threads_.size() < most_threads_) {
    threads_.reserve(most_threads_);
    auto thread = world.run_beside([this, &world] { work(world); });
    if (thread == nullptr) {
      lock.unlock();
      what.run();
      what.then();
      return errc::ok;
    }
    threads_.push_back(std::move(thread));
  }
  waiting_.push_back(std::move(what));
  ++calls_;
  room_.notify_all();
  return errc::ok;
}

void blocking_pool::work(env& world) {
  std::unique_lock lock(room_.guard);
  for (;;) {
    ++idle_;
    room_.wait(world, lock, [&] { return over_ || !waiting_.empty(); });
    --idle_;
    if (over_) return;
    job now = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    now.run();
    now.run = nullptr;  // what it holds is the user's, and is not destroyed under the guard
    lock.lock();
    --calls_;
    lock.unlock();
    now.then();
    lock.lock();
  }
}

void blocking_pool::stop() noexcept {
  std::vector<std::unique_ptr<running_thread>> ending;
  std::deque<job> never;
  {
    const std::lock_guard lock(room_.guard);
    over_ = true;
    never.swap(waiting_);
    ending.swap(threads_);
    room_.notify_all();
  }
  ending.clear();  // waits for them
}

}  // namespace troupe::detail
