#include "resolver.hpp"

#include <memory>
#include <system_error>
#include <utility>

namespace troupe::detail {

void resolver::look_up(const endpoint& what, worker& home, std::function<void(answer)> then) {
  const auto told = [&home, then = std::move(then)](answer how) {
    home.post([then, how = std::move(how)](worker&) { then(how); });
  };
  if (what.is_numeric()) return told(std::vector{what});
  const auto run = [this, what, told] { told(world_.resolve(what)); };
  try {
    if (threads_.take(world_, {run, [] {}}) == errc::ok) return;
  } catch (const std::system_error&) {  // no thread is to be had
  }
  told(setup_error{"cannot look up " + what.url() +
                   ": too many names are looked up already; try again later"});
}

}  // namespace troupe::detail
