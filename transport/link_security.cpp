#include "link_security.hpp"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <utility>

#include <troupe/assert.hpp>

#include "bytes.hpp"
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
  return std::make_shared<const link_security>(
      link_security{std::move(*own), key->public_half(), std::move(*peers)});
}

std::uint64_t link_security::bound_half(const public_key& key, std::uint64_t other_half) {
  std::array<std::byte, sizeof key.bytes + sizeof other_half> both;
  std::memcpy(both.data(), key.bytes.data(), sizeof key.bytes);
  store(both.data() + sizeof key.bytes, other_half);
  std::array<std::byte, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  const int done = EVP_Digest(both.data(), both.size(), reinterpret_cast<unsigned char*>(digest.data()),
                              &size, EVP_sha256(), nullptr);
  TROUPE_ASSERT(done == 1 && size >= sizeof(std::uint64_t), "this OpenSSL has no SHA-256");
  return detail::load<std::uint64_t>(digest.data());
}

bool link_security::allows(const node_identity& who, const public_key& key) const {
  return peers.allows(who.name, key) && who.id.low == bound_half(key, who.id.high);
}

std::unique_ptr<secure_channel> link_security::open(secure_channel::side as) const {
  return std::make_unique<secure_channel>(own, as,
                                          [this](const public_key& key) { return peers.knows(key); });
}

}  // namespace troupe::detail
