// The key of a node: an Ed25519 private key, which stays with the node, and its public half, by which the others know it.
//
// A public key is printed as one word, `troupe-ed25519:` and its 32 bytes in 64 lower-case hexadecimal digits: there is one
// spelling of each key, and two can be compared by eye. A private key is kept as PEM (PKCS#8, not encrypted), which other
// tools read and write as well. Both are text here; key_files.hpp has the files.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include <troupe/result.hpp>

#include "bytes.hpp"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace troupe::detail {

struct public_key {
  static constexpr std::string_view prefix = "troupe-ed25519:";
  std::array<std::byte, 32> bytes{};

  std::string text() const;
  /// The error says what is wrong with the text.
  static result<public_key, std::string> parse(std::string_view text);
  bool operator==(const public_key&) const = default;
};

/// Text that is wiped before its memory goes back. Move-only.
class secret_text {
 public:
  secret_text() = default;
  explicit secret_text(std::size_t size) : text_(size, '\0') {}
  explicit secret_text(std::string_view text) : text_(text) {}
  secret_text(secret_text&& o) noexcept { text_.swap(o.text_); }
  secret_text& operator=(secret_text&& o) noexcept {
    text_.swap(o.text_);
    return *this;
  }
  ~secret_text();

  std::string_view view() const noexcept { return text_; }
  char* data() noexcept { return text_.data(); }

 private:
  std::string text_;
};

/// Move-only.
class node_key {
 public:
  /// A new one. It is OpenSSL that draws it: a key out of the env's chance could be foretold from its seed.
  static result<node_key, setup_error> make();
  /// The error says what is wrong with the text, and shows nothing of it.
  static result<node_key, std::string> parse(std::string_view pem);

  secret_text pem() const;
  const public_key& public_half() const noexcept { return public_; }
  evp_pkey_st* native() const noexcept { return key_.get(); }

 private:
  struct free_key {
    void operator()(evp_pkey_st* key) const noexcept;
  };
  using handle = std::unique_ptr<evp_pkey_st, free_key>;
  explicit node_key(handle key);

  handle key_;
  public_key public_;
};

}  // namespace troupe::detail
