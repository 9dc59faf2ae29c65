// The hosts of the layout "hosts"; see hosts.hpp.
#include "hosts.hpp"

namespace demo {

troupe::result<std::unique_ptr<hosts>, troupe::setup_error> hosts::make(
    const std::vector<std::string>& names) {
  auto network = host_network::make(names);
  if (!network) return network.error();
  auto keys = key_folder::make(names);
  if (!keys) return keys.error();
  return std::unique_ptr<hosts>(new hosts(names, std::move(*network), std::move(*keys)));
}

std::vector<std::string> hosts::flags(const std::string& name) const {
  return {"--listen",    "tcp://" + network_->address(name) + ":0", "--key", keys_->key(name), "--peers",
          keys_->peers()};
}

void hosts::cut(const std::string& name) const {
  network_->set_link(name, false);
  for (const std::string& other : names_) network_->break_connections(name, other);
}

std::string went_on(std::uint64_t resumed) {
  // Where the kernel breaks no connections for us, they have outlived the second without a link.
  if (resumed == 0) return "went on over the same connection";
  return "went on over another connection" + (resumed > 1 ? " " + std::to_string(resumed) + " times" : "");
}

}  // namespace demo
