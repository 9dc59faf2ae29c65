// Peers that speak TLS, but are no secure channel of ours: made of OpenSSL alone, so that they can be what a channel never is.
// Each is refused, whichever side it takes, and nothing that it says is heard.
#include "catch.hpp"

#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "certificate.hpp"
#include "openssl_handles.hpp"
#include "tls_kit.hpp"

using namespace tls_test;

namespace {

using key_ptr = std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>>;
using context_ptr = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;
using ssl_ptr = std::unique_ptr<SSL, freed_by<SSL_free>>;

/// What a certificate is made of; an honest one without changes.
struct certificate_plan {
  std::string key = "ED25519";
  bool signed_by_another = false;
  std::size_t comment = 0;  // so many bytes more
};

key_ptr make_key(const std::string& kind) {
  if (kind == "RSA") return key_ptr(EVP_RSA_gen(2048));
  if (kind == "EC") return key_ptr(EVP_EC_gen("P-256"));
  return key_ptr(EVP_PKEY_Q_keygen(nullptr, nullptr, kind.c_str()));
}

x509_ptr certify(EVP_PKEY* key, const certificate_plan& plan) {
  x509_ptr x(X509_new());
  X509_set_version(x.get(), X509_VERSION_3);
  X509_gmtime_adj(X509_getm_notBefore(x.get()), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x.get()), 3600);
  const auto* const name = reinterpret_cast<const unsigned char*>("eve");
  X509_NAME_add_entry_by_NID(X509_get_subject_name(x.get()), NID_commonName, MBSTRING_ASC, name, 3, -1, 0);
  X509_set_issuer_name(x.get(), X509_get_subject_name(x.get()));
  X509_set_pubkey(x.get(), key);
  if (plan.comment != 0) {
    const std::string text(plan.comment, 'x');
    X509_EXTENSION* const more = X509V3_EXT_conf_nid(nullptr, nullptr, NID_netscape_comment, text.c_str());
    X509_add_ext(x.get(), more, -1);
    X509_EXTENSION_free(more);
  }
  const key_ptr another = make_key("ED25519");
  EVP_PKEY* const signer = plan.signed_by_another ? another.get() : key;
  const bool edwards = EVP_PKEY_is_a(signer, "ED25519") == 1 || EVP_PKEY_is_a(signer, "ED448") == 1;
  REQUIRE(X509_sign(x.get(), signer, edwards ? nullptr : EVP_sha256()) != 0);
  return x;
}

bytes der_of(X509* x) {
  bytes der(static_cast<std::size_t>(i2d_X509(x, nullptr)));
  auto* into = reinterpret_cast<unsigned char*>(der.data());
  i2d_X509(x, &into);
  return der;
}

/// An OpenSSL peer over its own memory BIOs; what is not said of it is as a channel has it.
class foreigner {
 public:
  struct plan {
    int version = TLS1_3_VERSION;
    bool has_certificate = true;
    certificate_plan certificate{};
    bool chain = false;
    std::string alpn = "\x08troupe/2";
  };

  explicit foreigner(side which) : foreigner(which, plan()) {}
  foreigner(side which, const plan& p) : context_(SSL_CTX_new(TLS_method())) {
    SSL_CTX* const c = context_.get();
    SSL_CTX_set_min_proto_version(c, p.version);
    SSL_CTX_set_max_proto_version(c, p.version);
    if (p.has_certificate) {
      const key_ptr key = make_key(p.certificate.key);
      const x509_ptr own = certify(key.get(), p.certificate);
      REQUIRE(SSL_CTX_use_certificate(c, own.get()) == 1);
      REQUIRE(SSL_CTX_use_PrivateKey(c, key.get()) == 1);
      if (p.chain) REQUIRE(SSL_CTX_add1_chain_cert(c, own.get()) == 1);
    }
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
    SSL_CTX_set_alpn_protos(c, reinterpret_cast<const unsigned char*>(p.alpn.data()),
                            static_cast<unsigned>(p.alpn.size()));
    if (!p.alpn.empty()) SSL_CTX_set_alpn_select_cb(c, agree, nullptr);
    ssl_.reset(SSL_new(c));
    in_ = BIO_new(BIO_s_mem());
    out_ = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl_.get(), in_, out_);
    which == side::dialer ? SSL_set_connect_state(ssl_.get()) : SSL_set_accept_state(ssl_.get());
  }

  SSL* ssl() const noexcept { return ssl_.get(); }

  /// Goes on with its handshake, and gives what it has to send.
  bytes hears(byte_view cipher) {
    if (!cipher.empty()) BIO_write(in_, cipher.data(), static_cast<int>(cipher.size()));
    SSL_do_handshake(ssl_.get());
    return output();
  }
  bytes says(std::string_view text) {
    SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size()));
    return output();
  }
  std::string plain() {
    char text[100];
    const int size = SSL_read(ssl_.get(), text, sizeof text);
    return {text, static_cast<std::size_t>(std::max(size, 0))};
  }

 private:
  static int agree(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                   unsigned, void*) {
    *chosen = offered + 1;
    *size = offered[0];
    return SSL_TLSEXT_ERR_OK;
  }
  bytes output() {
    bytes all(BIO_ctrl_pending(out_));
    if (!all.empty()) BIO_read(out_, all.data(), static_cast<int>(all.size()));
    ERR_clear_error();
    return all;
  }

  context_ptr context_;
  ssl_ptr ssl_;
  BIO* in_;
  BIO* out_;
};

/// The handshake, and then a word of the foreigner's.
std::string linked(secure_channel& ours, foreigner& theirs) {
  bytes heard;
  const auto hear = [&](const bytes& cipher) {
    const bytes more = input_to(ours, cipher);
    heard.insert(heard.end(), more.begin(), more.end());
  };
  for (unsigned i = 0; i < 5; ++i) hear(theirs.hears(output_of(ours)));
  hear(theirs.says("hello"));
  return text_from(heard);
}

side other(side which) { return which == side::dialer ? side::acceptor : side::dialer; }

}  // namespace

TEST_CASE("foreign TLS: a peer with a good certificate is heard, whoever made its TLS") {
  const side which = GENERATE(side::dialer, side::acceptor);
  secure_channel ours(ann().own, which, anybody);
  foreigner theirs(other(which));
  CHECK(linked(ours, theirs) == "hello");
  CHECK(ours.state() == stage::open);
  CHECK(std::string(SSL_get_cipher_name(theirs.ssl())) == "TLS_AES_128_GCM_SHA256");
  CHECK(SSL_get_negotiated_group(theirs.ssl()) == NID_X25519);
  CHECK(SSL_session_reused(theirs.ssl()) == 0);
}

TEST_CASE("foreign TLS: no tickets are given, so no session can be resumed") {
  secure_channel ours(ann().own, side::acceptor, anybody);
  foreigner theirs(side::dialer);
  CHECK(linked(ours, theirs) == "hello");
  CHECK_FALSE(ours.has_output());
  CHECK(SSL_SESSION_is_resumable(SSL_get0_session(theirs.ssl())) == 0);
}

TEST_CASE("foreign TLS: what a channel never is, is refused") {
  struct refused {
    const char* what;
    foreigner::plan how;
    side theirs;
    const char* why;  // a part of what our channel says
  };
  std::vector<refused> all;
  for (const side s : {side::dialer, side::acceptor}) {
    const bool dials = s == side::dialer;
    all.push_back(
        {"TLS 1.2", {.version = TLS1_2_VERSION}, s, dials ? "unsupported protocol" : "protocol version"});
    all.push_back({"RSA",
                   {.certificate = {.key = "RSA"}},
                   s,
                   dials ? "did not return a certificate" : "handshake failure"});
    all.push_back({"ECDSA",
                   {.certificate = {.key = "EC"}},
                   s,
                   dials ? "did not return a certificate" : "handshake failure"});
    all.push_back(
        {"another signer", {.certificate = {.signed_by_another = true}}, s, "not signed by its own key"});
    all.push_back(
        {"a large certificate", {.certificate = {.comment = 1200}}, s, "its certificate is too large"});
    all.push_back({"a huge certificate", {.certificate = {.comment = 60'000}}, s, "excessive message size"});
    all.push_back({"a chain", {.chain = true}, s, "a chain of certificates"});
    all.push_back({"no ALPN", {.alpn = ""}, s, "not troupe/2"});
  }
  all.push_back({"no certificate", {.has_certificate = false}, side::dialer, "did not return a certificate"});
  all.push_back({"another ALPN", {.alpn = "\x02h2"}, side::dialer, "no application protocol"});
  for (const refused& r : all) {
    secure_channel ours(ann().own, other(r.theirs), anybody);
    foreigner theirs(r.theirs, r.how);
    INFO(r.what << (r.theirs == side::dialer ? " dials" : " accepts"));
    CHECK(linked(ours, theirs).empty());
    CHECK(ours.state() == stage::failed);
    INFO(ours.failure());
    CHECK(ours.failure().find(r.why) != std::string::npos);
  }
}

TEST_CASE("foreign TLS: a server that does not speak troupe sees no certificate of the dialer's") {
  secure_channel ours(ann().own, side::dialer, anybody);
  foreigner theirs(side::acceptor, {.alpn = ""});
  CHECK(linked(ours, theirs).empty());
  CHECK(SSL_get0_peer_certificate(theirs.ssl()) == nullptr);
}

TEST_CASE(
    "foreign TLS: a peer that only ever changes keys is given up, whether it takes the answers or not") {
  const bool takes = GENERATE(true, false);
  secure_channel ours(ann().own, side::acceptor, anybody);
  foreigner theirs(side::dialer);
  CHECK(linked(ours, theirs) == "hello");
  std::size_t changes = 0;
  for (; ours.state() == stage::open && changes < 10'000; ++changes) {
    SSL_key_update(theirs.ssl(), SSL_KEY_UPDATE_REQUESTED);
    CHECK(input_to(ours, theirs.hears(takes ? output_of(ours) : bytes())).empty());
  }
  CHECK(ours.failure() == (takes ? "the peer keeps talking without saying anything"
                                 : "the peer asks for more answers than it takes"));
  const std::size_t most = takes ? secure_channel::most_silent : secure_channel::most_kept;
  CHECK(changes <= most / secure_channel::rekey_bytes + 5);
  CHECK(output_of(ours).size() <= secure_channel::most_kept);
}

TEST_CASE("foreign TLS: a peer may change keys, and ask for new ones") {
  secure_channel ours(ann().own, side::acceptor, anybody);
  foreigner theirs(side::dialer);
  CHECK(linked(ours, theirs) == "hello");
  for (unsigned i = 0; i < 5; ++i) {
    SSL_key_update(theirs.ssl(), SSL_KEY_UPDATE_REQUESTED);
    CHECK(text_from(input_to(ours, theirs.says("new keys"))) == "new keys");
    const bytes answer = output_of(ours, bytes_of("and from here"));
    CHECK(answer.size() == 13 + secure_channel::record_overhead + secure_channel::rekey_bytes);
    theirs.hears(answer);
    CHECK(theirs.plain() == "and from here");
  }
}

TEST_CASE("foreign TLS: where there is no room for the answer to a change of keys, all stays in order") {
  const std::size_t size = GENERATE(1u, 13u, 16'385u);
  const std::size_t room_size = size + (size > 16'384 ? 3 : 0) + secure_channel::record_overhead;
  secure_channel ours(ann().own, side::acceptor, anybody);
  foreigner theirs(side::dialer);
  CHECK(linked(ours, theirs) == "hello");
  SSL_key_update(theirs.ssl(), SSL_KEY_UPDATE_REQUESTED);
  CHECK(text_from(input_to(ours, theirs.says("new keys"))) == "new keys");
  const std::string said = text_from(pattern(size));
  bytes room(room_size);
  const auto did = ours.encrypt(bytes_of(said), room);
  CHECK(did.taken == size);
  CHECK(ours.has_output());
  theirs.hears(byte_view(room).first(did.made));
  std::string heard = theirs.plain();
  theirs.hears(output_of(ours));
  for (std::string more = theirs.plain(); !more.empty(); more = theirs.plain()) heard += more;
  CHECK((heard == said));
}

TEST_CASE("foreign TLS: an alert is no end, and a renegotiation is none of TLS 1.3") {
  secure_channel ours(ann().own, side::acceptor, anybody);
  foreigner theirs(side::dialer);
  CHECK(linked(ours, theirs) == "hello");
  CHECK(SSL_renegotiate(theirs.ssl()) == 0);
  ERR_clear_error();
  const std::string alert("\x15\x03\x03\x00\x02\x01\x00", 7);  // close_notify, in plain text
  CHECK(input_to(ours, bytes_of(alert)).empty());
  CHECK(ours.state() == stage::failed);
}

TEST_CASE("certificate: only one such as ours gives a key, and says why it does not") {
  const auto why = [](const certificate_plan& plan) {
    const key_ptr key = make_key(plan.key);
    const auto got = key_in_certificate(der_of(certify(key.get(), plan).get()));
    return got ? "" : got.error();
  };
  CHECK(why({}).empty());
  CHECK(why({.key = "RSA"}) == "its certificate has another kind of key than Ed25519");
  CHECK(why({.key = "EC"}) == "its certificate has another kind of key than Ed25519");
  CHECK(why({.key = "ED448"}) == "its certificate has another kind of key than Ed25519");
  CHECK(why({.signed_by_another = true}) == "its certificate is not signed by its own key");
  CHECK(why({.comment = 1200}) == "its certificate is too large");
}

TEST_CASE(
    "certificate: ours carries the key whatever the name, and no byte of it can be changed or missing") {
  for (const std::string& name : {std::string("a"), std::string(64, 'n')}) {
    const bytes der = make_certificate(ann().key, name);
    CHECK(der.size() < 512);
    const auto key = key_in_certificate(der);
    REQUIRE(key.has_value());
    CHECK(*key == ann().key.public_half());
  }
  const bytes der = make_certificate(ann().key, "ann");
  unsigned accepted = 0;
  for (std::size_t i = 0; i < der.size(); ++i) {
    bytes changed = der;
    changed[i] ^= std::byte{1};
    accepted += key_in_certificate(changed).has_value();
    accepted += key_in_certificate(byte_view(der).first(i)).has_value();
  }
  CHECK(accepted == 0);
  bytes longer = der;
  longer.push_back(std::byte{0});
  CHECK(key_in_certificate(longer).error() == "its certificate cannot be read");
}
