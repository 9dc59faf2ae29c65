// Inputs for the order pipeline; see generate.hpp.
#include "generate.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

namespace orders {

namespace {

// splitmix64: the distributions of the standard library differ between implementations, this does not.
class prng {
 public:
  explicit prng(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// 0 … bound - 1; the bias of the remainder does not matter here.
  std::uint64_t below(std::uint64_t bound) { return next() % bound; }
  std::uint64_t between(std::uint64_t low, std::uint64_t high) { return low + below(high - low + 1); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }

 private:
  std::uint64_t state_;
};

enum class card_kind : std::uint8_t {
  plain,
  hot,
  edge,
  malformed,
  duplicate,
  unknown,
  quantity,
  luhn,
  sold_out,
  declined
};

constexpr std::size_t deck_size = 100;
constexpr std::size_t hot_per_deck = 14;
constexpr std::array<std::pair<card_kind, std::size_t>, 9> rare_cards{{
    {card_kind::hot, hot_per_deck},
    {card_kind::edge, 3},
    {card_kind::malformed, 4},
    {card_kind::duplicate, 2},
    {card_kind::unknown, 2},
    {card_kind::quantity, 2},
    {card_kind::luhn, 2},
    {card_kind::sold_out, 1},
    {card_kind::declined, 3},
}};

// A line before it is joined by commas: text, since malformed lines are lines too.
enum field : std::size_t { id, sku, quantity, unit_cents, customer, card, field_count };
using row = std::array<std::string, field_count>;

std::string join(const row& r) {
  std::string text = r[0];
  for (std::size_t i = 1; i < r.size(); ++i) text += ',' + r[i];
  return text;
}

// One way of being malformed in a row that is otherwise fine: the field, or the whole line, becomes `text`,
// in which @ stands for what was there.
struct shape {
  field where;
  std::string_view text;
};
constexpr field whole_line = field_count;
constexpr shape malformed_shapes[] = {
    {whole_line, ""},
    {whole_line, "garbage"},
    {whole_line, ",,,,,"},
    {whole_line, "@,extra"},
    {whole_line, "@,"},
    {whole_line, "1001,SKU-00001,1,100,customer00001"},
    {id, ""},
    {id, "A@"},
    {id, "-@"},
    {id, "+@"},
    {id, " @"},
    {id, "18446744073709551616"},
    {sku, ""},
    {quantity, ""},
    {quantity, "-"},
    {quantity, "+@"},
    {quantity, "@.0"},
    {quantity, "@ "},
    {quantity, "0x1"},
    {quantity, "9223372036854775808"},
    {quantity, "-9223372036854775809"},
    {unit_cents, ""},
    {unit_cents, "-1"},
    {unit_cents, "9.99"},
    {unit_cents, "4294967296"},
    {customer, ""},
    {card, ""},
    {card, "42424242424"},
    {card, "@4242"},
    {card, "4242-4242-4242-4242"},
    {card, "\"@\""},
};

std::string malform(row r, const shape& s) {
  const auto replace = [&](const std::string& was) {
    std::string text(s.text);
    if (const auto at = text.find('@'); at != std::string::npos) text.replace(at, 1, was);
    return text;
  };
  if (s.where == whole_line) return replace(join(r));
  r[s.where] = replace(r[s.where]);
  return join(r);
}

constexpr const char* outside_quantities[] = {
    "0", "-1", "1001", "-500", "5000", "9223372036854775807", "-9223372036854775808"};

char digit_of(std::uint64_t value) { return static_cast<char>('0' + value); }

// The digit that makes `digits` followed by it pass Luhn.
char check_digit(const std::string& digits) {
  for (char digit = '0'; digit < '9'; ++digit) {
    if (luhn_valid(digits + digit)) return digit;
  }
  return '9';
}

std::string numbered(const char* prefix, std::uint64_t number) {
  const std::string digits = std::to_string(number);
  return prefix + std::string(digits.size() < 5 ? 5 - digits.size() : 0, '0') + digits;
}

class generator {
 public:
  generator(std::uint64_t lines, std::uint64_t seed)
      : random_(seed),
        lines_(lines),
        hot_skus_(std::clamp<std::uint64_t>(lines / 1000, 3, 100)),
        plain_skus_(std::clamp<std::uint64_t>(lines / 50, 10, 5000)),
        next_shape_(random_.below(std::size(malformed_shapes))),
        next_id_(random_.between(1000, 9999)) {}

  // The line without its ending.
  std::string next_line() {
    if (dealt_ % deck_size == 0) shuffle();
    return make(deck_[dealt_++ % deck_size]);
  }

  std::string line_ending(const std::string& text) {
    const bool last = dealt_ == lines_;
    if (last && !text.empty() && random_.one_in(2))
      return "";  // an empty line without ending would be no line
    return random_.one_in(8) ? "\r\n" : "\n";
  }

  std::string stock_file() {
    std::string text = "sku,quantity\n";
    // A hot SKU's orders ask for about 30 each: 18 each is enough for some of them only.
    const std::uint64_t hot_orders = lines_ * hot_per_deck / deck_size / hot_skus_;
    for (std::uint64_t i = 0; i < hot_skus_; ++i) {
      text += numbered("HOT-", i) + ',' + std::to_string(18 * hot_orders + random_.between(1, 9)) + '\n';
    }
    for (std::uint64_t i = 0; i < plain_skus_; ++i) {
      text += numbered("SKU-", i) + ',' + std::to_string(1000 * (lines_ + 1)) + '\n';
    }
    return text + "SOLD-OUT,0\n";
  }

 private:
  // The first card of a deck is a plain one, so that a duplicate always has an id to repeat.
  void shuffle() {
    deck_.fill(card_kind::plain);
    auto place = deck_.begin() + 1;
    for (const auto& [kind, count] : rare_cards) place = std::fill_n(place, count, kind);
    for (std::size_t i = deck_.size() - 1; i > 1; --i) std::swap(deck_[i], deck_[1 + random_.below(i)]);
  }

  std::string make(card_kind kind) {
    row r = plain_row();
    switch (kind) {
      case card_kind::plain: break;
      case card_kind::hot: make_hot(r); break;
      case card_kind::edge: make_edge(r); break;
      case card_kind::malformed:
        return malform(std::move(r), malformed_shapes[next_shape_++ % std::size(malformed_shapes)]);
      case card_kind::duplicate:
        r[id] = recent_ids_[random_.below(std::min(recent_ids_.size(), ids_))];
        return join(r);
      case card_kind::unknown: r[sku] = numbered("GONE-", random_.below(100)); break;
      case card_kind::quantity:
        r[quantity] = outside_quantities[random_.below(std::size(outside_quantities))];
        break;
      case card_kind::luhn:
        r[card].back() = digit_of((static_cast<unsigned>(r[card].back() - '0') + 1) % 10);
        break;
      case card_kind::sold_out: r[sku] = "SOLD-OUT"; break;
      case card_kind::declined: r[card] = card_number("4000", 16); break;
    }
    take_id(r[id]);
    return join(r);
  }

  row plain_row() {
    // The smaller of two draws makes low numbers more popular.
    const auto product = std::min(random_.below(plain_skus_), random_.below(plain_skus_));
    const char first = digit_of(random_.between(3, 6));
    return {std::to_string(next_id_),
            numbered("SKU-", product),
            std::to_string(random_.between(1, 12)),
            std::to_string(random_.between(1, 200) * 50 - 1),
            numbered("customer", random_.below(lines_ / 4 + 1)),
            card_number(std::string{first, '1'}, 16)};
  }

  // Mostly small orders and some large ones, which are refused first while small ones still fit.
  void make_hot(row& r) {
    r[sku] = numbered("HOT-", random_.below(hot_skus_));
    r[quantity] = std::to_string(random_.one_in(5) ? random_.between(50, 200) : random_.between(1, 12));
    if (random_.one_in(10)) r[card] = card_number("4000", 16);
  }

  // Well-formed orders at the limits of what is allowed.
  void make_edge(row& r) {
    r[quantity] = random_.one_in(2) ? "1000" : "1";
    r[unit_cents] = random_.one_in(2) ? "4294967295" : "0";
    r[card] = card_number("5", random_.between(12, 19));
    if (random_.one_in(2)) {
      r[id] = std::to_string(std::numeric_limits<std::uint64_t>::max() - high_ids_++);
    }
  }

  void take_id(const std::string& taken) {
    recent_ids_[ids_++ % recent_ids_.size()] = taken;
    ++next_id_;
  }

  std::string card_number(std::string digits, std::size_t size) {
    while (digits.size() < size - 1) digits += digit_of(random_.below(10));
    return digits + check_digit(digits);
  }

  prng random_;
  std::uint64_t lines_;
  std::uint64_t hot_skus_;
  std::uint64_t plain_skus_;
  std::size_t next_shape_;
  std::uint64_t next_id_;
  std::uint64_t high_ids_ = 0;
  std::uint64_t dealt_ = 0;
  std::array<card_kind, deck_size> deck_{};
  std::array<std::string, 1024> recent_ids_;
  std::size_t ids_ = 0;
};

file_result<file_handle> create(const std::string& path) {
  file_handle file(std::fopen(path.c_str(), "wb"));
  if (!file) return file_error("create", path, errno);
  return file;
}

bool put(const file_handle& file, const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
}

}  // namespace

file_result<void> generate(std::uint64_t lines, std::uint64_t seed, const std::string& orders_path,
                           const std::string& stock_path) {
  if (lines > max_generated_lines) {
    return troupe::setup_error{"cannot generate " + std::to_string(lines) + " orders: the most is " +
                               std::to_string(max_generated_lines)};
  }
  const auto orders_file = create(orders_path);
  if (!orders_file) return orders_file.error();
  const auto stock_file = create(stock_path);
  if (!stock_file) return stock_file.error();
  generator source(lines, seed);
  if (!put(*stock_file, source.stock_file()) || std::fflush(stock_file->get()) != 0) {
    return file_error("write", stock_path, errno);
  }
  bool ok = put(*orders_file, "id,sku,quantity,unit_cents,customer,card\n");
  for (std::uint64_t i = 0; ok && i < lines; ++i) {
    const std::string text = source.next_line();
    ok = put(*orders_file, text + source.line_ending(text));
  }
  if (!ok || std::fflush(orders_file->get()) != 0) return file_error("write", orders_path, errno);
  return {};
}

}  // namespace orders
