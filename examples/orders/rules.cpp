// The rules of the order pipeline; see rules.hpp.
#include "rules.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <troupe/assert.hpp>

namespace orders {

namespace {

constexpr std::int64_t min_quantity = 1;
constexpr std::int64_t max_quantity = 1000;
constexpr std::size_t min_card_digits = 12;
constexpr std::size_t max_card_digits = 19;
constexpr std::string_view declined_prefix = "4000";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// from_chars takes no plus sign and no spaces, and a minus only for signed types: exactly our grammar.
template <class Int>
std::optional<Int> parse_decimal(std::string_view text) noexcept {
  Int value{};
  const char* end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value);
  if (failure != std::errc{} || stop != end) return std::nullopt;
  return value;
}

std::optional<std::array<std::string_view, 6>> six_fields(std::string_view text) {
  std::array<std::string_view, 6> fields;
  for (std::size_t i = 0; i + 1 < fields.size(); ++i) {
    const auto comma = text.find(',');
    if (comma == std::string_view::npos) return std::nullopt;
    fields[i] = text.substr(0, comma);
    text.remove_prefix(comma + 1);
  }
  if (text.find(',') != std::string_view::npos) return std::nullopt;
  fields.back() = text;
  return fields;
}

bool is_card(std::string_view text) {
  return text.size() >= min_card_digits && text.size() <= max_card_digits &&
         std::all_of(text.begin(), text.end(), is_digit);
}

}  // namespace

std::string_view to_string(status s) noexcept {
  switch (s) {
    case status::malformed: return "malformed";
    case status::duplicate_id: return "duplicate_id";
    case status::unknown_sku: return "unknown_sku";
    case status::bad_quantity: return "bad_quantity";
    case status::bad_card: return "bad_card";
    case status::out_of_stock: return "out_of_stock";
    case status::declined: return "declined";
    case status::paid: return "paid";
  }
  return "invalid";
}

std::optional<std::uint64_t> parse_u64(std::string_view text) noexcept {
  return parse_decimal<std::uint64_t>(text);
}

std::optional<order> parse_order(std::string_view text, std::uint64_t line) {
  if (text.size() > max_line_bytes) return std::nullopt;
  const auto fields = six_fields(text);
  if (!fields) return std::nullopt;
  const auto& [id_text, sku, quantity_text, unit_text, customer, card] = *fields;
  const auto id = parse_decimal<std::uint64_t>(id_text);
  const auto quantity = parse_decimal<std::int64_t>(quantity_text);
  const auto unit_cents = parse_decimal<std::uint32_t>(unit_text);
  if (!id || !quantity || !unit_cents || sku.empty() || customer.empty() || !is_card(card))
    return std::nullopt;
  return order{line, *id, std::string(sku), *quantity, *unit_cents, std::string(customer), std::string(card)};
}

bool luhn_valid(std::string_view digits) noexcept {
  int sum = 0;
  bool doubled = false;  // every second digit from the right, the check digit itself not
  for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, doubled = !doubled) {
    const int value = (*digit - '0') * (doubled ? 2 : 1);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 == 0;
}

std::uint32_t shard_of(std::string_view sku, std::uint32_t shards) noexcept {
  TROUPE_ASSERT(shards > 0, "there is no shard to choose from: give the stock stage at least one worker");
  std::uint32_t hash = 2166136261u;  // FNV-1a; std::hash may differ between two builds
  for (const char c : sku) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619u;
  return hash % shards;
}

std::optional<status> checker::decide(const order& o) {
  if (remembers_ids_ && !ids_.insert(o.id).second) return status::duplicate_id;
  if (!skus_.contains(o.sku)) return status::unknown_sku;
  if (o.quantity < min_quantity || o.quantity > max_quantity) return status::bad_quantity;
  if (!luhn_valid(o.card)) return status::bad_card;
  return std::nullopt;
}

std::optional<status> stock_shard::decide(const order& o) {
  const auto item = left_.find(o.sku);
  TROUPE_ASSERT(item != left_.end(),
                "this shard has no such SKU: route orders by shard_of, after the checker");
  TROUPE_ASSERT(o.quantity >= min_quantity,
                "the quantity was not checked: pass orders through the checker first");
  const auto wanted = static_cast<std::uint64_t>(o.quantity);
  if (wanted > item->second) return status::out_of_stock;
  item->second -= wanted;
  return std::nullopt;
}

status payment_status(const order& o) noexcept {
  return o.card.starts_with(declined_prefix) ? status::declined : status::paid;
}

entry malformed_entry(std::uint64_t line) noexcept { return {line, 0, status::malformed, 0}; }

entry make_entry(const order& o, status outcome) noexcept {
  // Only a paid order has an amount; its quantity was checked, so the product fits (1000 * 2^32 at most).
  const auto amount =
      outcome == status::paid ? static_cast<std::uint64_t>(o.quantity) * std::uint64_t{o.unit_cents} : 0;
  return {o.line, o.id, outcome, amount};
}

}  // namespace orders
