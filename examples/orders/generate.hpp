// Inputs for the order pipeline: the same bytes for the same (orders, seed) on every machine and compiler.
//
// Orders are dealt from decks of 100 cards, each shuffled, so every full deck holds every status, and the mix
// stays realistic: about 80 % are paid. A few hot SKUs have too little stock, so which of their orders are
// out_of_stock depends on the order they are served in. Malformed lines take turns through every shape, and
// leave their id to a later well-formed order. One line in eight ends in CRLF; the last one may have no
// ending.
//
// Thread-safety: a pure function.
#pragma once

#include <cstdint>
#include <string>

#include "input.hpp"

namespace orders {

inline constexpr std::uint64_t max_generated_lines = 1'000'000'000;

/// Writes `lines` order lines (100 or more hold every status) and the stock they need, replacing both files.
file_result<void> generate(std::uint64_t lines, std::uint64_t seed, const std::string& orders_path,
                           const std::string& stock_path);

}  // namespace orders
