#include "credentials.hpp"

#include <openssl/ssl.h>

#include "certificate.hpp"
#include "openssl_handles.hpp"

namespace troupe::detail {
namespace {

/// ALPN's list of one: a length, then the name.
constexpr auto alpn_list = [] {
  std::array<unsigned char, credentials::protocol.size() + 1> list{credentials::protocol.size()};
  for (std::size_t i = 0; i < credentials::protocol.size(); ++i)
    list[i + 1] = static_cast<unsigned char>(credentials::protocol[i]);
  return list;
}();

/// In place of OpenSSL's check of chains, names and dates: the peer has signed the handshake with the key in its certificate,
/// and the key is all that counts.
int check_certificate(X509_STORE_CTX* of, void*) {
  const auto* const ssl =
      static_cast<const SSL*>(X509_STORE_CTX_get_ex_data(of, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto& proof = *static_cast<peer_proof*>(SSL_get_app_data(ssl));
  X509_STORE_CTX_set_error(of, X509_V_ERR_CERT_REJECTED);
  if (sk_X509_num(X509_STORE_CTX_get0_untrusted(of)) != 1) {
    proof.refused = "it shows a chain of certificates";
    return 0;
  }
  std::array<std::byte, max_certificate> der;
  X509* const shown = X509_STORE_CTX_get0_cert(of);
  const int size = i2d_X509(shown, nullptr);
  if (size <= 0 || static_cast<std::size_t>(size) > der.size()) {
    proof.refused = "its certificate is too large";
    return 0;
  }
  auto* into = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(shown, &into);
  const auto key = key_in_certificate(byte_view(der).first(static_cast<std::size_t>(size)));
  if (!key) {
    proof.refused = key.error();
    return 0;
  }
  if (!proof.known(*key)) {
    proof.refused = "its key " + key->text() + " is not in the allow-list";
    return 0;
  }
  proof.key = *key;
  X509_STORE_CTX_set_error(of, X509_V_OK);
  return 1;
}

/// At the acceptor. A dialer that names no protocol at all is found out by its channel.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  unsigned char* found = nullptr;
  const int how =
      SSL_select_next_proto(&found, size, alpn_list.data(), alpn_list.size(), offered, offered_size);
  *chosen = found;
  return how == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// All of it is said here, so that the machine's own openssl.cnf changes nothing.
bool configure(SSL_CTX* context) {
  constexpr std::size_t most_peer_chain = 2 * max_certificate;
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_clear_options(context, SSL_OP_ENABLE_KTLS | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                     SSL_OP_PRIORITIZE_CHACHA | SSL_OP_ALLOW_NO_DHE_KEX);
  SSL_CTX_set_security_level(context, 2);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context, most_peer_chain);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  SSL_CTX_set_cert_verify_callback(context, check_certificate, nullptr);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  return SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_num_tickets(context, 0) == 1 && SSL_CTX_set_max_early_data(context, 0) == 1 &&
         SSL_CTX_set_recv_max_early_data(context, 0) == 1 &&
         SSL_CTX_set_ciphersuites(
             context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
         SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1 &&
         SSL_CTX_set1_sigalgs_list(context, "ed25519") == 1 &&
         SSL_CTX_set1_client_sigalgs_list(context, "ed25519") == 1 &&
         SSL_CTX_set_alpn_protos(context, alpn_list.data(), alpn_list.size()) == 0;  // 0 is its "yes"
}

}  // namespace

void credentials::free_context::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }

result<credentials, setup_error> credentials::make(const node_key& key, std::string_view name) {
  credentials own;
  own.context_.reset(SSL_CTX_new(TLS_method()));
  SSL_CTX* const context = own.context_.get();
  const std::vector<std::byte> shown = make_certificate(key, name);
  const auto* const der = reinterpret_cast<const unsigned char*>(shown.data());
  const bool ok = context != nullptr && configure(context) &&
                  SSL_CTX_use_certificate_ASN1(context, static_cast<int>(shown.size()), der) == 1 &&
                  SSL_CTX_use_PrivateKey(context, key.native()) == 1;
  if (!ok) {
    return setup_error("this machine's OpenSSL cannot do TLS 1.3 with Ed25519 keys (" + openssl_reason() +
                       "); install libssl 3.0 or later with its default provider");
  }
  return own;
}

}  // namespace troupe::detail
