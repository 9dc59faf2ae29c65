#include "destinations.hpp"

#include <utility>

#include <troupe/assert.hpp>

namespace troupe::detail {

room_waiter::~room_waiter() {
  if (waiting()) destination_table::remove(*this);
}

destination* destination_table::find(std::uint64_t target) noexcept {
  const auto at = all_.find(target);
  return at != all_.end() ? at->second.get() : nullptr;
}

destination* destination_table::open(std::uint64_t target) {
  if (last_ != nullptr && last_->target == target) return last_;
  destination* const known = find(target);
  if (known != nullptr) return known->window != destination::no_window ? last_ = known : nullptr;
  if (!homeless_.empty()) return nullptr;  // they asked first
  auto made = std::make_unique<destination>(*this, target);
  if (!give_window(*made)) return nullptr;
  destination& d = *(all_[target] = std::move(made));
  settle(d);
  return last_ = &d;
}

void destination_table::forget(destination& d) {
  if (last_ == &d) last_ = nullptr;
  all_.erase(d.target);
}

bool destination_table::give_window(destination& d) {
  if (free_windows_.empty() && by_window_.size() == limits_.windows) {
    if (idle_.empty()) return false;
    evict(*idle_.front());
  }
  if (free_windows_.empty()) {
    free_windows_.push_back(static_cast<std::uint32_t>(by_window_.size()));
    by_window_.push_back(nullptr);
  }
  d.window = free_windows_.back();
  free_windows_.pop_back();
  by_window_[d.window] = &d;
  d.out = 0;
  return true;
}

void destination_table::evict(destination& d) {
  chain<destination>::remove(d);
  by_window_[d.window] = nullptr;
  free_windows_.push_back(d.window);
  for (const destination::route& r : d.routes) free_routes_.push_back(r.number);
  forget(d);
}

std::uint32_t destination_table::route_number(destination& d) {
  if (free_routes_.empty() && routes_made_ < limits_.routes) free_routes_.push_back(routes_made_++);
  if (free_routes_.empty()) {
    const auto rich = [](const destination* of) { return of != nullptr && of->routes.size() > 1; };
    destination& victim = d.routes.empty() ? **std::ranges::find_if(by_window_, rich) : d;
    free_routes_.push_back(victim.routes.front().number);
    victim.routes.erase(victim.routes.begin());
  }
  const std::uint32_t number = free_routes_.back();
  free_routes_.pop_back();
  return number;
}

bool destination_table::may_overdraw(destination& d, std::uint64_t cost, bool is_large) noexcept {
  if (!limits_.lets_overdraw(d.out, cost, is_large)) return false;
  const std::uint64_t more = limits_.overdraft(d.out + cost) - limits_.overdraft(d.out);
  const std::uint64_t most = limits_.most_overdraft() >> (is_large ? 0 : 1);
  const bool others_wait = !crowded_.empty() && crowded_.front() != &d;
  const bool may = overdrafts_ + more <= most && (more == 0 || !others_wait);
  d.crowded = !may && is_large;
  return may;
}

void destination_table::count_out(destination& d, std::uint32_t out) noexcept {
  overdrafts_ += limits_.overdraft(out) - limits_.overdraft(d.out);
  d.out = out;
}

void destination_table::spend(destination& d, std::uint32_t bytes) noexcept {
  TROUPE_ASSERT(bytes <= limits_.most_out() - d.out, "compare the cost with the credit before spending it");
  count_out(d, d.out + bytes);
  if (d.place.in == &idle_) chain<destination>::remove(d);
}

bool destination_table::give_back(std::uint32_t window, std::uint32_t bytes) {
  if (window >= by_window_.size() || by_window_[window] == nullptr) return false;
  destination& d = *by_window_[window];
  if (bytes > d.out - d.chunked) return false;
  const std::uint64_t before = overdrafts_;
  count_out(d, d.out - bytes);
  try_crowded_ = try_crowded_ || overdrafts_ != before;
  go_on(d);
  if (try_crowded_ && !crowded_.empty()) on_.defer(retry_);
  return true;
}

/// It has got something back.
void destination_table::go_on(destination& d) {
  if (d.has_waiters()) {
    make_ready(d);
  } else {
    settle(d);
  }
}

void destination_table::end_chunks(destination& d) {
  d.chunked = 0;
  go_on(d);
}

void destination_table::wait(room_waiter& w) {
  TROUPE_ASSERT(!w.waiting(), "a room_waiter waits for one message at a time");
  std::unique_ptr<destination>& entry = all_[w.what.target];
  if (!entry) entry = std::make_unique<destination>(*this, w.what.target);
  destination& d = *entry;
  const bool first_of_all = !d.has_waiters();
  w.head = &d;
  w.prev = d.last;
  w.next = nullptr;
  (d.last != nullptr ? d.last->next : d.first) = &w;
  d.last = &w;
  if (!first_of_all) return;
  if (d.window != destination::no_window) {
    make_ready(d);
  } else {
    homeless_.push_back(d);
    on_.defer(retry_);
  }
}

void destination_table::remove(room_waiter& w) noexcept {
  destination& d = *w.head;
  const bool was_first = d.first == &w;
  (w.prev != nullptr ? w.prev->next : d.first) = w.next;
  (w.next != nullptr ? w.next->prev : d.last) = w.prev;
  w.head = nullptr;
  w.prev = w.next = nullptr;
  if (!d.has_waiters()) {
    d.table.settle(d);
  } else if (was_first && d.window != destination::no_window) {
    d.table.make_ready(d);  // the next one may be smaller
  }
}

void destination_table::make_ready(destination& d) {
  leave(d);
  d.crowded = false;
  ready_.push_back(d);
  on_.defer(retry_);
}

destination* destination_table::next_ready() {
  house_homeless();
  if (!ready_.empty()) return ready_.front();
  return std::exchange(try_crowded_, false) ? crowded_.front() : nullptr;
}

void destination_table::leave(destination& d) noexcept {
  if (d.place.in == &crowded_) {  // the next one's turn
    try_crowded_ = true;
    on_.defer(retry_);
  }
  chain<destination>::remove(d);
}

void destination_table::house_homeless() {
  while (destination* const d = homeless_.front()) {
    if (!give_window(*d)) return;
    make_ready(*d);
  }
}

void destination_table::settle(destination& d) {
  if (d.place.in == &crowded_ && d.crowded && d.has_waiters()) return;
  leave(d);
  if (d.has_waiters()) {  // starved: credit makes it ready
    if (d.crowded) crowded_.push_back(d);
    return;
  }
  if (d.window == destination::no_window) {
    forget(d);
  } else if (d.out == 0 && d.chunked == 0) {
    idle_.push_back(d);
    if (!homeless_.empty()) on_.defer(retry_);
  }
}

room_waiter* destination_table::take_any() noexcept {
  for (const auto& [target, d] : all_) {
    if (room_waiter* const w = d->first) {
      remove(*w);
      return w;
    }
  }
  return nullptr;
}

}  // namespace troupe::detail
