#include "scheduler.hpp"

#include <utility>

#include "io_driver.hpp"

namespace troupe::detail {

result<std::unique_ptr<scheduler>, setup_error> scheduler::create(env& world,
                                                                  const scheduler_options& options) {
  constexpr unsigned most_workers = 255;  // a worker's index travels in one byte of a segment header
  const unsigned count = options.workers != 0 ? options.workers : world.processors();
  if (count > most_workers) {
    return setup_error{"workers: " + std::to_string(count) + " is over the limit; use 1 to " +
                       std::to_string(most_workers)};
  }
  const duration looks = world.look_out_for(count);
  std::unique_ptr<scheduler> made(new scheduler);
  for (unsigned i = 0; i < count; ++i) {
    auto io = world.open_io(options.io, made->io_note_);
    if (!io) return std::move(io).error();
    made->backend_ = (*io)->backend();
    made->workers_.push_back(std::make_unique<worker>(world, i, std::move(*io), looks));
  }
  for (const auto& w : made->workers_) w->all = made->workers_;
  return made;
}

scheduler::~scheduler() { stop(); }

void scheduler::start() {
  for (const auto& w : workers_) threads_.push_back(w->world().run(*w));
}

void scheduler::stop() {
  for (const auto& w : workers_) w->request_stop();
  for (auto& t : threads_) t.reset();  // waits
  threads_.clear();
  settle();
}

void scheduler::settle() {
  for (bool busy = true; busy;) {
    busy = false;
    for (const auto& w : workers_) busy = w->settle() || busy;
  }
}

}  // namespace troupe::detail
