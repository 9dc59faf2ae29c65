// The rules of the order pipeline: what a line means and which status it gets. Pure: no files, no actors.
//
// An order passes the stages in this order and stops at the first that names a status:
//   parse_order    malformed                                       needs the line alone
//   checker        duplicate_id unknown_sku bad_quantity bad_card  needs every earlier id, and all SKUs
//   stock_shard    out_of_stock                                    needs what is left of the SKUs of one
//   shard payment_status declined paid                                   needs the order alone
//
// Two stages remember what they saw, so the result depends on the order they see it in: the checker must see
// the well-formed orders in file order, and a shard those of its SKUs that passed the checker. SKUs do not
// influence one another, so any number of shards gives the same statuses. Orders that never meet in one of
// these two objects may overtake each other freely; the ledger restores the input's order.
//
// Thread-safety: functions are pure; a checker or a shard belongs to one actor or thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace orders {

/// In the order of precedence. The names are those of ledger.csv.
enum class status : std::uint8_t {
  malformed,
  duplicate_id,
  unknown_sku,
  bad_quantity,
  bad_card,
  out_of_stock,
  declined,
  paid,
};
inline constexpr std::size_t status_count = 8;

/// "invalid" for a value that is none of the eight (a peer's byte).
std::string_view to_string(status s) noexcept;

/// A well-formed line. `line` counts from 1 after the header.
struct order {
  std::uint64_t line = 0;
  std::uint64_t id = 0;
  std::string sku;
  std::int64_t quantity = 0;
  std::uint32_t unit_cents = 0;
  std::string customer;
  std::string card;
};

/// One line of stock.csv.
struct stock_item {
  std::string sku;
  std::uint64_t quantity = 0;
};

/// One line of ledger.csv. `id` means nothing when malformed.
struct entry {
  std::uint64_t line = 0;
  std::uint64_t id = 0;
  status outcome = status::malformed;
  std::uint64_t amount_cents = 0;
};

/// A longer line is malformed, so that an order and its framing always fit one message of 64 KiB.
inline constexpr std::size_t max_line_bytes = 63 * 1024;

/// The whole text as a decimal without plus sign or spaces; leading zeros are digits. Nothing when it is not
/// one or does not fit.
std::optional<std::uint64_t> parse_u64(std::string_view text) noexcept;

/// One line without its line ending. Nothing when malformed.
std::optional<order> parse_order(std::string_view text, std::uint64_t line);

/// `digits` must be decimal digits only.
bool luhn_valid(std::string_view digits) noexcept;

/// Which of `shards` shards owns the SKU: the same in every process and on every machine.
std::uint32_t shard_of(std::string_view sku, std::uint32_t shards) noexcept;

class checker {
 public:
  /// Without ids it takes every order for the first with its id: a bug, for simulations to find.
  explicit checker(bool remembers_ids = true) noexcept : remembers_ids_(remembers_ids) {}
  /// Makes the SKU known. All of them, before the first decide.
  void add_sku(std::string sku) { skus_.insert(std::move(sku)); }

  /// Nothing: the order goes on to the stock. Either way its id is taken from now on.
  std::optional<status> decide(const order& o);

 private:
  bool remembers_ids_;
  std::unordered_set<std::string> skus_;
  std::unordered_set<std::uint64_t> ids_;  // bounded by the lines of the input: the rule asks for all of them
};

class stock_shard {
 public:
  void add(stock_item item) { left_.insert_or_assign(std::move(item.sku), item.quantity); }

  /// Takes all of the quantity or nothing. Nothing returned: taken, the order goes on to payment.
  /// An order the checker refused, or one of another shard's SKU, is a programmer error.
  std::optional<status> decide(const order& o);

 private:
  std::unordered_map<std::string, std::uint64_t> left_;
};

/// declined or paid.
status payment_status(const order& o) noexcept;

entry malformed_entry(std::uint64_t line) noexcept;
entry make_entry(const order& o, status outcome) noexcept;

}  // namespace orders
