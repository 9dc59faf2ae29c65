#include "node_key.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>

#include <troupe/assert.hpp>

#include "openssl_handles.hpp"

namespace troupe::detail {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

/// Instead of OpenSSL's own, which would ask at the terminal.
int note_passphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

}  // namespace

std::string public_key::text() const {
  std::string text(prefix);
  for (const std::byte b : bytes) {
    const auto value = std::to_integer<unsigned>(b);
    text += digits[value >> 4];
    text += digits[value & 15];
  }
  return text;
}

result<public_key, std::string> public_key::parse(std::string_view text) {
  if (!text.starts_with(prefix)) return "a key begins with " + std::string(prefix);
  text.remove_prefix(prefix.size());
  public_key key;
  if (text.size() != 2 * key.bytes.size()) {
    return "a key has 64 hexadecimal digits, not " + std::to_string(text.size()) + " characters";
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::size_t value = digits.find(text[i]);
    if (value == digits.npos) {
      return "the digits of a key are 0-9 and a-f, character " + std::to_string(i + 1) + " is none";
    }
    std::byte& b = key.bytes[i / 2];
    b = b << 4 | static_cast<std::byte>(value);
  }
  return key;
}

secret_text::~secret_text() { OPENSSL_cleanse(text_.data(), text_.size()); }

void node_key::free_key::operator()(evp_pkey_st* key) const noexcept { EVP_PKEY_free(key); }

node_key::node_key(handle key) : key_(std::move(key)) {
  std::size_t size = public_.bytes.size();
  auto* const into = reinterpret_cast<unsigned char*>(public_.bytes.data());
  const int got = EVP_PKEY_get_raw_public_key(key_.get(), into, &size);
  TROUPE_ASSERT(got == 1 && size == public_.bytes.size(), "an Ed25519 key has a public half of 32 bytes");
}

result<node_key, setup_error> node_key::make() {
  handle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (!key) {
    return setup_error("this machine's OpenSSL makes no Ed25519 key (" + openssl_reason() +
                       "); install libssl 3.0 or later with its default provider");
  }
  return node_key(std::move(key));
}

result<node_key, std::string> node_key::parse(std::string_view pem) {
  constexpr std::size_t most = 16 * 1024;
  if (pem.size() > most) return std::string("it is over 16 KiB, so it is no key");
  const bio_ptr in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  bool encrypted = false;
  handle key(in ? PEM_read_bio_PrivateKey(in.get(), nullptr, note_passphrase, &encrypted) : nullptr);
  ERR_clear_error();
  if (encrypted) return std::string("its key is encrypted, and a node has nobody to ask for a passphrase");
  if (!key) return std::string("it holds no private key in PEM (PKCS#8)");
  if (EVP_PKEY_is_a(key.get(), "ED25519") != 1) return std::string("its key is of another kind than Ed25519");
  return node_key(std::move(key));
}

secret_text node_key::pem() const {
  const bio_ptr out(BIO_new(BIO_s_mem()));  // which wipes its memory, too
  const int written =
      PEM_write_bio_PKCS8PrivateKey(out.get(), key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  TROUPE_ASSERT(written == 1, "an Ed25519 key can be written as PEM");
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return secret_text(std::string_view(text, static_cast<std::size_t>(size)));
}

}  // namespace troupe::detail
