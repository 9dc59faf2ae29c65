// The timed sends of one actor, by number. To begin and to end one costs the same among a million. Home worker only.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <troupe/detail/timed_send.hpp>

namespace troupe::detail {

/// A number is a place and how often that has been used: whoever calls off what has ended already does not meet the next.
class timed_sends {
 public:
  /// Its number, which is never 0.
  std::uint64_t put(std::unique_ptr<timed_send> what) {
    if (free_ == none) {
      places_.emplace_back();
      free_ = static_cast<std::uint32_t>(places_.size() - 1);
    }
    const std::uint32_t at = free_;
    place& p = places_[at];
    free_ = p.next_free;
    p.what = std::move(what);
    return number_of(at);
  }
  /// False if it has ended.
  bool erase(std::uint64_t number) noexcept {
    const auto at = static_cast<std::uint32_t>(number);
    if (at >= places_.size() || !places_[at].what || number_of(at) != number) return false;
    give_back(at);
    return true;
  }
  void clear() noexcept {
    for (std::uint32_t at = 0; at < places_.size(); ++at) {
      if (places_[at].what) give_back(at);
    }
  }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  struct place {
    std::unique_ptr<timed_send> what;  // null: it is free
    std::uint32_t uses = 1;
    std::uint32_t next_free = none;
  };

  std::uint64_t number_of(std::uint32_t at) const noexcept {
    return std::uint64_t{places_[at].uses} << 32 | at;
  }
  void give_back(std::uint32_t at) noexcept {
    const std::unique_ptr<timed_send> last =
        std::move(places_[at].what);  // its message may begin another one at its end
    place& p = places_[at];
    p.uses = p.uses % UINT32_MAX + 1;
    p.next_free = std::exchange(free_, at);
  }

  std::vector<place> places_;
  std::uint32_t free_ = none;
};

}  // namespace troupe::detail
