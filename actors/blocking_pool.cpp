#include "blocking_pool.hpp"

#include <new>
#include <system_error>
#include <utility>

#include <troupe/blocking.hpp>
#include <troupe/detail/actor_core.hpp>

#include "node_core.hpp"

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

void start_blocking(std::shared_ptr<call_beside> call, operation& who) noexcept {
  auto& core = *static_cast<actor_core*>(who.owner());
  const auto back = [&core, generation = core.generation(), ticket = who.ticket()](worker&) {
    operation* const waits = core.generation() == generation ? core.find(ticket) : nullptr;
    if (waits != nullptr) waits->complete();
  };
  const auto run = [call] {
    if (call.use_count() != 1) call->run();  // else it was given up before it began
  };
  node_core& node = core.node();
  try {
    call->outcome =
        node.blocking_calls().take(node.world(), {run, [back, &home = core.home()] { home.post(back); }});
  } catch (const std::bad_alloc&) {
    call->outcome = errc::no_memory;
  } catch (const std::system_error&) {  // no thread is to be had
    call->outcome = errc::full;
  }
  if (call->outcome != errc::ok) who.complete();
}

}  // namespace troupe::detail
