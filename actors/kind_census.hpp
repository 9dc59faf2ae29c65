// One worker's count of its actors by kind: by the function, lambda or class that makes them. Home worker only.
#pragma once

#include <deque>
#include <map>
#include <source_location>
#include <string>
#include <utility>

#include <troupe/inspect.hpp>

namespace troupe::detail {

/// The name of an actor's kind: "chat::run_room", a class's name, or "lambda at FILE:LINE".
std::string kind_name(const std::source_location& function);

class kind_census {
 public:
  /// Counts a birth. The kind stays where it is, and its name as it is.
  kind_info& born(const std::source_location& function);
  const std::deque<kind_info>& all() const noexcept { return kinds_; }

 private:
  static constexpr std::size_t most = 4096;  // the last stands for all that come later

  using key = std::pair<const char*, unsigned>;  // function and line
  kind_info& kind_of(const std::source_location& function);

  std::deque<kind_info> kinds_;
  std::map<key, kind_info*> found_;
  key last_key_;  // most births are like the one before
  kind_info* last_ = nullptr;
};

}  // namespace troupe::detail
