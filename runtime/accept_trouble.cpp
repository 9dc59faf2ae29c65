#include "accept_trouble.hpp"

#include <string>
#include <utility>

#include <troupe/log.hpp>
#include <troupe/result.hpp>

namespace troupe::detail {

void accept_trouble::failed(std::string_view url, int number) noexcept {
  if (std::exchange(told_, true)) return;
  log(log_level::warning, std::string(url) + ": cannot accept: " + error(errc::io_failed, number).text() +
                              "; trying again every 100 ms. Out of descriptors? Raise the limit (ulimit -n)");
}

}  // namespace troupe::detail
