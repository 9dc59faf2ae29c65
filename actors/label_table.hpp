// The names of one worker's actors, for threads that may not look into an actor: its parent says where it is in the
// tree, this says what it is called.
//
// Any thread; one mutex, which the home worker takes when an actor with a name is born or ends.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

namespace troupe::detail {

class label_table {
 public:
  /// `name` stays where it is, as it is, until it is removed.
  void put(std::uint32_t slot, const std::string& name) {
    const std::lock_guard lock(guard_);
    names_[slot] = &name;
  }
  void remove(std::uint32_t slot) noexcept {
    const std::lock_guard lock(guard_);
    names_.erase(slot);
  }
  /// "#slot" if it has no name.
  std::string find(std::uint32_t slot) const {
    const std::lock_guard lock(guard_);
    const auto found = names_.find(slot);
    return found != names_.end() ? *found->second : "#" + std::to_string(slot);
  }

 private:
  mutable std::mutex guard_;
  std::unordered_map<std::uint32_t, const std::string*> names_;
};

}  // namespace troupe::detail
