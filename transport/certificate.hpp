// The certificate that TLS asks for: here it only carries a node's public key. It is signed by that key itself, made anew at
// each start and never kept; its name is for whoever looks at the wire, and its dates say "always", so that no clock has a
// say in who may link. Pure: DER bytes in and out.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "node_key.hpp"

namespace troupe::detail {

inline constexpr std::size_t max_certificate = 1024;  // ours takes about 300 bytes

std::vector<std::byte> make_certificate(const node_key& key, std::string_view name);

/// The key in a certificate such as make_certificate gives. The error says what is wrong with it: its size, another kind of
/// key, or that it is signed by somebody else.
result<public_key, std::string> key_in_certificate(byte_view der);

}  // namespace troupe::detail
