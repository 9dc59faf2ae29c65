// What a node needs to speak TLS with its peers: its own credentials, and the list of those that it links with.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "allow_list.hpp"
#include "credentials.hpp"
#include "secure_channel.hpp"

namespace troupe::detail {

struct link_security {
  credentials own;
  allow_list peers;

  /// From the files that the node's options name.
  static result<std::shared_ptr<const link_security>, setup_error> load(const std::string& key_file,
                                                                        const std::string& list_file,
                                                                        std::string_view name);
  /// A channel over which nobody is let in whose key is not in the list.
  std::unique_ptr<secure_channel> open(secure_channel::side as) const;
};

}  // namespace troupe::detail
