// What a node shows its peers, and what it asks of them: its key in a certificate, and the settings of TLS that all its secure
// channels share. TLS 1.3 and nothing else, both sides with a certificate, no session that could be resumed (so no tickets
// and no early data), the protocol's name agreed on by ALPN.
//
// Thread-safety: never changes; channels of any thread may be made from it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "node_key.hpp"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace troupe::detail {

/// Whether any node may have that key: it is asked during the handshake, before a peer's name is known.
/// Throws nothing: OpenSSL calls it.
using key_check = std::function<bool(const public_key&)>;

/// Of one handshake: who the peer has proved to be. A channel leaves it with OpenSSL for the check of the certificate.
struct peer_proof {
  key_check known;
  std::optional<public_key> key;
  std::string refused;  // why, if the certificate was no good
};

class credentials {
 public:
  static constexpr std::string_view protocol = "troupe/2";

  /// `name` is a valid node name. The error says what this OpenSSL lacks.
  static result<credentials, setup_error> make(const node_key& key, std::string_view name);

  ssl_ctx_st* context() const noexcept { return context_.get(); }

 private:
  struct free_context {
    void operator()(ssl_ctx_st* context) const noexcept;
  };
  std::unique_ptr<ssl_ctx_st, free_context> context_;
};

}  // namespace troupe::detail
