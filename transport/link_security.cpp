#include "link_security.hpp"

#include <utility>

#include "key_files.hpp"

namespace troupe::detail {

result<std::shared_ptr<const link_security>, setup_error> link_security::load(const std::string& key_file,
                                                                              const std::string& list_file,
                                                                              std::string_view name) {
  auto key = read_key_file(key_file);
  if (!key) return std::move(key).error();
  auto peers = read_allow_list(list_file);
  if (!peers) return std::move(peers).error();
  auto own = credentials::make(*key, name);
  if (!own) return std::move(own).error();
  return std::make_shared<const link_security>(link_security{std::move(*own), std::move(*peers)});
}

std::unique_ptr<secure_channel> link_security::open(secure_channel::side as) const {
  return std::make_unique<secure_channel>(own, as,
                                          [this](const public_key& key) { return peers.knows(key); });
}

}  // namespace troupe::detail
