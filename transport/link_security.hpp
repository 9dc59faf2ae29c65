// What a node needs to speak TLS with its peers: its own credentials, and the list of those that it links with.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "allow_list.hpp"
#include "credentials.hpp"
#include "secure_channel.hpp"
#include "session.hpp"

namespace troupe::detail {

struct link_security {
  credentials own;
  public_key own_key;
  allow_list peers;

  /// From the files that the node's options name.
  static result<std::shared_ptr<const link_security>, setup_error> load(const std::string& key_file,
                                                                        const std::string& list_file,
                                                                        std::string_view name);
  /// The half of a node's incarnation that its key and the other half decide, so that nobody can take another node's for its own:
  /// the first eight bytes of the SHA-256 of both.
  static std::uint64_t bound_half(const public_key& key, std::uint64_t other_half);
  /// Whether a peer that has proved `key` may say that it is `who`.
  bool allows(const node_identity& who, const public_key& key) const;
  /// A channel over which nobody is let in whose key is not in the list.
  std::unique_ptr<secure_channel> open(secure_channel::side as) const;
};

}  // namespace troupe::detail
