// What a listening socket does when the kernel cannot give it a connection. Mostly the process is out of
// descriptors; the listener itself is fine, so it says so once, pauses, and looks again until it succeeds.
#pragma once

#include <string_view>

#include <troupe/env.hpp>

namespace troupe::detail {

class accept_trouble {
 public:
  static constexpr duration pause = std::chrono::milliseconds(100);

  /// Accepting on `url` failed with the errno `number`. Logs the first failure of a row.
  void failed(std::string_view url, int number) noexcept;
  void over() noexcept { told_ = false; }

 private:
  bool told_ = false;
};

}  // namespace troupe::detail
