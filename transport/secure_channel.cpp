#include "secure_channel.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <utility>

#include <troupe/assert.hpp>

#include "openssl_handles.hpp"

namespace troupe::detail {
namespace {

secure_channel::wire& wire_of(BIO* bio) { return *static_cast<secure_channel::wire*>(BIO_get_data(bio)); }

int read_wire(BIO* bio, char* into, std::size_t size, std::size_t* done) {
  byte_view& in = wire_of(bio).in;
  BIO_clear_retry_flags(bio);
  *done = std::min(size, in.size());
  if (*done == 0) {
    BIO_set_retry_read(bio);
    return 0;
  }
  std::memcpy(into, in.data(), *done);
  in = in.subspan(*done);
  return 1;
}

/// All of it, or an error: so OpenSSL never holds output back. What finds no room is kept, and so is what follows it.
int write_wire(BIO* bio, const char* from, std::size_t size, std::size_t* done) {
  secure_channel::wire& w = wire_of(bio);
  const byte_view bytes(reinterpret_cast<const std::byte*>(from), size);
  *done = size;
  if (w.kept.empty() && size <= w.out.size()) {
    store_bytes(w.out.data(), bytes);
    w.out = w.out.subspan(size);
    return 1;
  }
  if (size > secure_channel::most_kept - w.kept.size()) {
    w.overflowed = true;
    return 0;
  }
  w.kept.insert(w.kept.end(), bytes.begin(), bytes.end());
  return 1;
}

long control_wire(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

/// Beside OpenSSL's own BIO over memory, which would copy both ways once more.
const BIO_METHOD* wire_method() {
  static const bio_method_ptr method = [] {
    bio_method_ptr m(BIO_meth_new(BIO_TYPE_SOURCE_SINK, "troupe secure channel"));
    TROUPE_ASSERT(m != nullptr && BIO_meth_set_read_ex(m.get(), read_wire) == 1 &&
                      BIO_meth_set_write_ex(m.get(), write_wire) == 1 &&
                      BIO_meth_set_ctrl(m.get(), control_wire) == 1,
                  "OpenSSL takes a BIO of three functions");
    return m;
  }();
  return method.get();
}

}  // namespace

void secure_channel::free_ssl::operator()(ssl_st* ssl) const noexcept { SSL_free(ssl); }

secure_channel::secure_channel(const credentials& own, side which, key_check known, std::uint32_t rekey_after)
    : ssl_(SSL_new(own.context())), rekey_after_(rekey_after) {
  proof_.known = std::move(known);
  bio_ptr bio(ssl_ ? BIO_new(wire_method()) : nullptr);
  if (!bio) {
    fail("OpenSSL has no memory for a connection");
    return;
  }
  BIO_set_data(bio.get(), &wire_);
  BIO_set_init(bio.get(), 1);
  BIO* const both = bio.release();
  SSL_set_bio(ssl_.get(), both, both);
  SSL_set_app_data(ssl_.get(), &proof_);
  if (which == side::dialer) {
    SSL_set_connect_state(ssl_.get());
    shake_hands();  // its first word is there to be sent
  } else {
    SSL_set_accept_state(ssl_.get());
  }
}

secure_channel::~secure_channel() = default;

secure_channel::progress secure_channel::decrypt(byte_view cipher, byte_span plain) {
  if (stage_ == stage::closed || stage_ == stage::failed) return {cipher.size(), 0};
  wire_.in = cipher;
  if (stage_ == stage::handshaking) shake_hands();
  const std::size_t made = read(plain);
  const std::size_t taken = cipher.size() - std::exchange(wire_.in, {}).size();
  silent_ = made == 0 ? silent_ + taken : 0;
  if (silent_ > most_silent) fail("the peer keeps talking without saying anything");
  return {taken, made};
}

void secure_channel::shake_hands() {
  ERR_clear_error();
  const int done = SSL_do_handshake(ssl_.get());
  if (done != 1) return explain(SSL_get_error(ssl_.get(), done));
  const unsigned char* agreed = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &agreed, &size);
  if (std::string_view(reinterpret_cast<const char*>(agreed), size) != credentials::protocol) {
    wire_.kept.clear();  // a stranger does not get to see this node's certificate
    wire_.kept_from = 0;
    return fail("the peer speaks TLS, but not " + std::string(credentials::protocol) + " over it");
  }
  if (!proof_.key) return fail("the peer showed no certificate");
  stage_ = stage::open;
}

std::size_t secure_channel::read(byte_span plain) {
  std::size_t made = 0;
  while (stage_ == stage::open && made != plain.size()) {
    ERR_clear_error();
    std::size_t size = 0;
    const int got = SSL_read_ex(ssl_.get(), plain.data() + made, plain.size() - made, &size);
    if (got != 1) {
      explain(SSL_get_error(ssl_.get(), got));
      break;
    }
    made += size;
  }
  return made;
}

/// What a call to OpenSSL that brought nothing means.
void secure_channel::explain(int error) {
  if (error == SSL_ERROR_WANT_READ) return;
  if (error == SSL_ERROR_ZERO_RETURN && stage_ == stage::handshaking)
    return fail("the peer hung up during the TLS handshake");
  if (error == SSL_ERROR_ZERO_RETURN) {
    close();
    stage_ = stage::closed;
    return;
  }
  if (!proof_.refused.empty()) return fail("the peer was refused: " + proof_.refused);
  if (wire_.overflowed) return fail("the peer asks for more answers than it takes");
  const unsigned long first = ERR_peek_error();
  const int reason = ERR_GET_LIB(first) == ERR_LIB_SSL ? ERR_GET_REASON(first) : 0;
  const bool linking = stage_ == stage::handshaking;
  if (linking && (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST)) {
    return fail("the peer speaks no TLS");
  }
  if (reason > SSL_AD_REASON_OFFSET) {  // an alert of the peer's
    const int alert = reason - SSL_AD_REASON_OFFSET;
    const bool refused = alert == SSL_AD_BAD_CERTIFICATE;
    return fail("the peer ended the connection with \"" + std::string(SSL_alert_desc_string_long(alert)) +
                "\"" + (refused ? "; is this node's key in its allow-list?" : ""));
  }
  fail((linking ? "the TLS handshake failed: " : "TLS failed: ") + openssl_reason());
}

std::size_t secure_channel::give_kept() {
  const byte_view rest = byte_view(wire_.kept).subspan(wire_.kept_from);
  const std::size_t size = std::min(rest.size(), wire_.out.size());
  store_bytes(wire_.out.data(), rest.first(size));
  wire_.out = wire_.out.subspan(size);
  wire_.kept_from += size;
  if (size == rest.size()) {
    wire_.kept.clear();
    wire_.kept_from = 0;
  }
  return size;
}

secure_channel::progress secure_channel::encrypt(byte_view plain, byte_span cipher) {
  wire_.out = cipher;
  give_kept();
  std::size_t taken = 0;
  while (stage_ == stage::open && !said_goodbye_ && taken != plain.size()) {
    const byte_view next = plain.subspan(taken, std::min(plain.size() - taken, most_plain_in_record));
    const bool rekey = records_ == rekey_after_;
    if (wire_.out.size() < next.size() + record_overhead + (rekey ? rekey_bytes : 0)) break;
    ERR_clear_error();
    if (rekey) SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED);
    records_ = rekey ? 1 : records_ + 1;
    std::size_t size = 0;
    const int got = SSL_write_ex(ssl_.get(), next.data(), next.size(), &size);
    if (got != 1) {
      explain(SSL_get_error(ssl_.get(), got));
      break;
    }
    taken += size;
  }
  return {taken, cipher.size() - std::exchange(wire_.out, {}).size()};
}

void secure_channel::close() {
  if (stage_ != stage::open || said_goodbye_) return;
  said_goodbye_ = true;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
}

/// What OpenSSL holds for the connection goes at once; what it wrote last, an alert, may still be sent.
void secure_channel::fail(std::string why) {
  if (stage_ == stage::failed) return;
  stage_ = stage::failed;
  failure_ = std::move(why);
  ssl_.reset();
  ERR_clear_error();
}

const public_key& secure_channel::peer_key() const noexcept {
  TROUPE_ASSERT(stage_ == stage::open || stage_ == stage::closed,
                "a peer has a key once the channel is open");
  return *proof_.key;
}

}  // namespace troupe::detail
