// Fixed-width little-endian numbers in raw bytes: each is read or written once, with memcpy, so that bytes
// which another process may change meanwhile are looked at a single time.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>

namespace troupe::detail {

static_assert(std::endian::native == std::endian::little,
              "the wire format is the memory format of little-endian machines");

using byte_view = std::span<const std::byte>;
using byte_span = std::span<std::byte>;

template <std::integral T>
T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <std::integral T>
void store(std::byte* to, T value) noexcept {
  std::memcpy(to, &value, sizeof value);
}

/// There is room for them. (std::ranges::copy takes std::byte one at a time in GCC 12.)
inline void store_bytes(std::byte* to, byte_view bytes) noexcept {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
}

inline byte_view bytes_of(std::string_view text) noexcept { return std::as_bytes(std::span(text)); }

}  // namespace troupe::detail
