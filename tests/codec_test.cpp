// codec.hpp: round trips, the bytes on the wire, and what hostile bytes get.
#include "catch.hpp"

#include <cstring>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <troupe/codec.hpp>
#include <troupe/codec_map.hpp>
#include <troupe/describe.hpp>
#include <vector>

namespace codec_test {

struct line {
  std::string sku;
  std::uint32_t qty = 0;
  bool operator==(const line&) const = default;
};
struct card {
  std::string number;
  std::uint16_t year = 0;
  bool operator==(const card&) const = default;
};
struct cash {
  bool operator==(const cash&) const = default;
};
enum class channel : std::uint8_t { shop, web };
enum class truth : bool { no, yes };
struct order {
  std::uint64_t id = 0;
  std::vector<line> lines;
  std::optional<std::string> note;
  std::variant<card, cash> pay;
  channel from = channel::shop;
  bool operator==(const order&) const = default;
};
struct quote {  // no padding: one memcpy
  std::uint64_t sequence = 0;
  double price = 0;
  std::chrono::nanoseconds at{};
  std::array<std::int16_t, 4> levels{};
  bool operator==(const quote&) const = default;
};
struct padded {
  std::uint8_t kind = 0;
  std::uint32_t value = 0;
  bool operator==(const padded&) const = default;
};
struct tree {
  std::vector<tree> kids;
  bool operator==(const tree&) const = default;
};
struct everything {
  bool yes = false;
  char letter = 0;
  std::int8_t i8 = 0;
  std::uint16_t u16 = 0;
  float f32 = 0;
  truth t = truth::no;
  std::vector<bool> bits;
  std::vector<quote> quotes;
  std::array<std::string, 2> names;
  std::pair<int, std::string> both;
  std::optional<std::vector<std::optional<int>>> maybe;
  std::variant<std::monostate, int, std::string, int> one_of;
  std::map<std::string, line> by_name;
  cash nothing;
  tree root;
  bool operator==(const everything&) const = default;
};
struct deposit_v1 {
  std::int64_t cents = 0;
  std::string note = "none";
};
struct deposit_v2 {
  std::int64_t cents = 0;
  std::string note = "none";
  std::uint32_t branch = 77;
};
struct with_defaults {
  std::optional<std::vector<int>> maybe = std::vector<int>{1, 2};
  std::vector<std::string> list = {"a", "b"};
  std::vector<int> numbers = {1, 2, 3};
  std::string text = "text";
  std::map<int, int> map = {{1, 1}};
  std::variant<int, std::string> either = "x";
  std::pair<int, bool> pair = {1, true};
  bool operator==(const with_defaults&) const = default;
};
struct flat_v1 {
  std::uint32_t a = 1;
};
struct flat_v2 {
  std::uint32_t a = 1;
  std::uint32_t b = 2;
};

class parcel : public card {
 public:
  parcel() = default;
  parcel(std::string digits, std::vector<int> weights) : weights_(std::move(weights)) { number = digits; }
  bool operator==(const parcel&) const = default;

 private:
  std::vector<int> weights_;
  BOOST_DESCRIBE_CLASS(parcel, (card), (), (), (weights_))
};
BOOST_DESCRIBE_STRUCT(card, (), (number, year))

class swapped {
 public:
  swapped() = default;
  swapped(std::uint16_t first, std::uint16_t second) : first_(first), second_(second) {}

 private:
  std::uint16_t first_ = 0;
  std::uint16_t second_ = 0;
  BOOST_DESCRIBE_CLASS(swapped, (), (), (), (second_, first_))
};

/// A custom codec that depends on the link.
class handle {
 public:
  handle() = default;
  explicit handle(std::uint32_t id) : id_(id) {}
  std::uint32_t id() const { return id_; }

 private:
  std::uint32_t id_ = 0;
};
struct with_handle {
  handle target;
  std::int32_t n = 0;
};

struct view {
  std::string_view text;
};
struct deep_view {
  int n;
  std::vector<std::optional<view>> views;
};
struct c_array {
  char name[16];
  int n;
};
struct derived : padded {
  int n;
};
struct const_field {
  const int n;
};
struct reference {
  int& n;
};
struct owner {
  std::unique_ptr<int> p;
};
struct late_c_array {
  std::string first;
  int n[3];
};
struct one_element_array {
  int n[1];
};
struct empty_base : cash {
  int n;
};
struct holders {  // types that convert from nearly anything, where counting fields goes wrong first
  std::optional<std::chrono::nanoseconds> when;
  std::optional<std::variant<int, std::string>> what;
  std::array<std::array<std::optional<std::string>, 2>, 2> grid;
  std::variant<std::monostate, std::vector<int>> which;
  bool operator==(const holders&) const = default;
};
struct only {
  std::optional<std::string> text;
  bool operator==(const only&) const = default;
};
enum loose { loose_a, loose_b };

}  // namespace codec_test

template <>
struct troupe::codec<codec_test::handle> {
  static constexpr std::size_t min_size = 4;
  static void encode(writer& w, const codec_test::handle& value) {
    codec<std::uint32_t>::encode(w, value.id() + *static_cast<std::uint32_t*>(w.context()));
  }
  static void decode(reader& r, codec_test::handle& value) {
    std::uint32_t id = 0;
    codec<std::uint32_t>::decode(r, id);
    if (r.ok()) value = codec_test::handle(id - *static_cast<std::uint32_t*>(r.context()));
  }
  static constexpr void schema(schema_writer& out) { out.text("codec_test::handle"); }
};

namespace codec_test {
namespace {

using troupe::encodable;
static_assert(encodable<everything> && encodable<order> && encodable<tree> && encodable<parcel>);
static_assert(encodable<with_handle> && encodable<const_field> == false && encodable<reference> == false);
static_assert(!encodable<int*> && !encodable<int&> && !encodable<const int> && !encodable<void>);
static_assert(!encodable<void()> && !encodable<void (*)()> && !encodable<std::function<void()>>);
static_assert(!encodable<std::string_view> && !encodable<std::span<int>> && !encodable<const char*>);
static_assert(!encodable<view> && !encodable<deep_view> && !encodable<std::vector<view>>);
static_assert(!encodable<std::pair<int, std::string_view>> && !encodable<std::variant<int, int*>>);
static_assert(!encodable<int[3]> && !encodable<c_array> && !encodable<derived> && !encodable<owner>);
static_assert(!encodable<late_c_array> && !encodable<one_element_array> && !encodable<empty_base>);
static_assert(!encodable<loose> && !encodable<wchar_t> && !encodable<long double>);
static_assert(!encodable<std::vector<cash>> && !encodable<std::vector<std::array<int, 0>>>);
static_assert(troupe::detail::is_flat<quote>() && !troupe::detail::is_flat<padded>());
static_assert(!troupe::detail::is_flat<cash>() && !troupe::detail::is_flat<std::array<bool, 2>>());

using bytes = std::vector<std::byte>;

template <class T>
bytes encoded(const T& value, void* context = nullptr) {
  bytes out(1 << 16);
  troupe::writer w(out, context);
  troupe::encode_message(w, value);
  REQUIRE(w.ok());
  out.resize(w.size());
  return out;
}

/// Whether all of `in` is a T. The copy has no spare capacity, so that ASan sees a read past the end.
template <class T>
bool decoded(const bytes& in, T& value, bool sender_is_longer = false, void* context = nullptr) {
  const bytes exact(in.begin(), in.end());
  troupe::reader r(exact, context);
  troupe::decode_message(r, value, sender_is_longer);
  return r.ok();
}

template <class T>
void check_round_trip(const T& value) {
  T back{};
  REQUIRE(decoded(encoded(value), back));
  CHECK(back == value);
}

std::string hex(const bytes& in) {
  std::string out;
  for (std::byte b : in) {
    out += "0123456789abcdef"[std::to_integer<unsigned>(b) >> 4];
    out += "0123456789abcdef"[std::to_integer<unsigned>(b) & 15];
  }
  return out;
}

order sample_order() { return {7, {{"ab", 1}, {"", 0xffffffff}}, "hi", card{"4000", 2031}, channel::web}; }

everything sample_everything() {
  everything e{};
  e.yes = true;
  e.letter = 'x';
  e.i8 = -5;
  e.u16 = 65535;
  e.f32 = 1.5F;
  e.t = truth::yes;
  e.bits = {true, false, true};
  e.quotes = {{1, 2.5, std::chrono::nanoseconds(-9), {1, -2, 3, -4}}, {}};
  e.names = {"one", std::string(300, 'z')};
  e.both = {-1, "b"};
  e.maybe = std::vector<std::optional<int>>{1, std::nullopt};
  e.one_of.emplace<3>(9);
  e.by_name = {{"k", {"sku", 3}}, {"l", {}}};
  e.root.kids = {{}, {{{}, {}}}};
  return e;
}

tree nested(std::size_t depth) {
  tree root;
  for (std::size_t i = 1; i < depth; ++i) {
    tree parent;
    parent.kids.push_back(std::move(root));
    root = std::move(parent);
  }
  return root;
}

bytes from_u32(std::initializer_list<std::uint32_t> words) {
  bytes out(words.size() * 4);
  std::memcpy(out.data(), words.begin(), out.size());
  return out;
}

}  // namespace

TEST_CASE("codec: every supported type survives a round trip") {
  check_round_trip(sample_order());
  check_round_trip(order{1, {}, std::nullopt, cash{}, channel::shop});
  check_round_trip(quote{1, -0.0, std::chrono::nanoseconds::min(), {1, 2, 3, 4}});
  check_round_trip(padded{1, 2});
  check_round_trip(sample_everything());
  check_round_trip(everything{});
  check_round_trip(cash{});
  check_round_trip(holders{std::chrono::seconds(1), "text", {{{"a", "b"}, {}}}, std::vector<int>{1}});
  check_round_trip(only{"x"});
  check_round_trip(std::numeric_limits<std::int64_t>::min());
  check_round_trip(std::vector<std::vector<std::string>>{{}, {"a", ""}, {"b"}});
  check_round_trip(std::map<int, std::string>{{1, "x"}, {2, ""}});
  check_round_trip(parcel("number", {1, 2, 3}));
}

TEST_CASE("codec: the bytes are little-endian, unpadded, counts in 32 bits") {
  CHECK(hex(encoded(padded{1, 0x0a0b0c0d})) == "010d0c0b0a");
  CHECK(hex(encoded(sample_order())) ==
        "0700000000000000"  // id
        "02000000"
        "02000000"
        "6162"
        "01000000"  // two lines: "ab", 1
        "00000000"
        "ffffffff"  // "", 2^32-1
        "01"
        "02000000"
        "6869"  // note: "hi"
        "00"
        "04000000"
        "34303030"
        "ef07"  // card
        "01");  // web
  CHECK(hex(encoded(quote{1, 1.0, std::chrono::nanoseconds(2), {1, -1, 0, 0}})) ==
        "0100000000000000"
        "000000000000f03f"
        "0200000000000000"
        "0100ffff00000000");
  CHECK(hex(encoded(std::variant<int, std::string>{"z"})) ==
        "01"
        "01000000"
        "7a");
  CHECK(hex(encoded(std::optional<int>{})) == "00");
  CHECK(hex(encoded(std::vector<bool>{true, false})) ==
        "02000000"
        "01"
        "00");
  CHECK(hex(encoded(parcel("n", {5}))) ==
        "01000000"
        "6e"
        "0000"
        "01000000"
        "05000000");
  CHECK(hex(encoded(swapped(1, 2))) == "02000100");
  CHECK(encoded(cash{}).empty());
}

TEST_CASE("codec: output that is too small fails and takes nothing more") {
  const bytes whole = encoded(sample_order());
  for (std::size_t room = 0; room < whole.size(); ++room) {
    bytes out(room);
    troupe::writer w(out);
    troupe::encode_message(w, sample_order());
    CHECK_FALSE(w.ok());
    CHECK(w.size() <= room);
  }
  bytes out(5);
  troupe::writer w(out);
  w.write("1234", 4);
  w.write("1234", 4);
  w.write("1", 1);  // would fit, but would not be where the receiver looks for it
  CHECK_FALSE(w.ok());
  CHECK(w.size() == 4);
}

TEST_CASE("codec: after a failed read nothing remains and nothing is copied") {
  const bytes in(4, std::byte{7});
  troupe::reader r(in);
  std::uint64_t wide = 1;
  CHECK_FALSE(r.read(&wide, sizeof wide));
  CHECK(wide == 1);
  CHECK(r.remaining() == 0);
  std::uint8_t byte = 1;
  CHECK_FALSE(r.read(&byte, sizeof byte));
  CHECK(byte == 1);
  CHECK_FALSE(r.ok());
}

TEST_CASE("codec: a truncated message fails, except at the end of a field of the message itself") {
  const everything value = sample_everything();
  const bytes whole = encoded(value);
  std::size_t accepted = 0;
  for (std::size_t size = 0; size < whole.size(); ++size) {
    everything back{};
    if (decoded(bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)), back)) ++accepted;
  }
  // 15 fields, one of them (nothing) without bytes: 14 boundaries before the end, counting the empty input.
  CHECK(accepted == 14);

  const bytes quotes = encoded(std::vector<quote>{{}, {}});
  for (std::size_t size = 0; size < quotes.size(); ++size) {
    std::vector<quote> back;
    CHECK_FALSE(decoded(bytes(quotes.begin(), quotes.begin() + static_cast<std::ptrdiff_t>(size)), back));
  }
}

TEST_CASE("codec: fields that a shorter sender does not know keep their defaults") {
  deposit_v2 newer;
  REQUIRE(decoded(encoded(deposit_v1{5, "five"}), newer));
  CHECK(newer.cents == 5);
  CHECK(newer.note == "five");
  CHECK(newer.branch == 77);

  flat_v2 flat;
  REQUIRE(decoded(encoded(flat_v1{9}), flat));
  CHECK(flat.a == 9);
  CHECK(flat.b == 2);

  deposit_v2 none;
  REQUIRE(decoded(bytes{}, none));
  CHECK(none.note == "none");
}

TEST_CASE("codec: what was sent replaces the defaults of fields") {
  check_round_trip(with_defaults{std::nullopt, {}, {}, {}, {}, {}, {}});
  check_round_trip(
      with_defaults{std::vector<int>{7}, {"c"}, {7}, "longer than text", {{2, 2}}, 7, {7, false}});
}

TEST_CASE("codec: bytes beyond the last field are ignored only from a longer sender") {
  const bytes longer = encoded(deposit_v2{5, "five", 6});
  deposit_v1 older;
  CHECK_FALSE(decoded(longer, older));
  REQUIRE(decoded(longer, older, true));
  CHECK(older.cents == 5);
  CHECK(older.note == "five");

  flat_v1 flat;
  CHECK_FALSE(decoded(encoded(flat_v2{3, 4}), flat));
  REQUIRE(decoded(encoded(flat_v2{3, 4}), flat, true));
  CHECK(flat.a == 3);
}

TEST_CASE("codec: values outside a type's range are refused") {
  bool flag = false;
  CHECK_FALSE(decoded(bytes{std::byte{2}}, flag));
  truth t = truth::no;
  CHECK_FALSE(decoded(bytes{std::byte{2}}, t));
  std::optional<int> maybe;
  CHECK_FALSE(decoded(bytes{std::byte{2}, {}, {}, {}, {}}, maybe));
  std::variant<int, cash> either;
  CHECK_FALSE(decoded(bytes{std::byte{2}}, either));
  CHECK_FALSE(decoded(bytes{std::byte{255}}, either));
  std::map<int, int> repeated;
  CHECK_FALSE(decoded(from_u32({2, 1, 10, 1, 11}), repeated));
}

TEST_CASE("codec: a count that the input cannot hold is refused before allocating") {
  constexpr std::uint32_t huge = 0xffffffff;
  std::string text;
  CHECK_FALSE(decoded(from_u32({huge, 0}), text));
  CHECK(text.capacity() < 64);
  std::vector<std::uint8_t> flat;
  CHECK_FALSE(decoded(from_u32({huge, 0}), flat));
  CHECK(flat.capacity() == 0);
  std::vector<std::string> strings;
  CHECK_FALSE(decoded(from_u32({huge, 0}), strings));
  CHECK_FALSE(decoded(from_u32({3, 0, 0}), strings));
  CHECK(strings.capacity() == 0);
  std::vector<bool> bits;
  CHECK_FALSE(decoded(from_u32({huge}), bits));
  CHECK(bits.capacity() == 0);
  std::map<int, int> map;
  CHECK_FALSE(decoded(from_u32({huge, 0, 0}), map));
  order o;
  CHECK_FALSE(decoded(from_u32({1, 0, huge}), o));
  CHECK(o.lines.capacity() == 0);
}

TEST_CASE("codec: a true count of small encodings of large objects reserves by the input, not by the count") {
  using large = std::array<std::uint64_t, 512>;
  bytes in = from_u32({4000});
  in.resize(in.size() + 4000, std::byte{9});  // 4000 optionals, the first one invalid already
  std::vector<std::optional<large>> out;
  CHECK_FALSE(decoded(in, out));
  CHECK(out.capacity() * sizeof(out[0]) <= 8 * in.size() + 2 * sizeof(out[0]));
}

TEST_CASE("codec: nesting is limited on both sides") {
  check_round_trip(nested(troupe::max_nesting));

  bytes out(4096);
  troupe::writer w(out);
  troupe::encode_message(w, nested(troupe::max_nesting + 1));
  CHECK_FALSE(w.ok());

  bytes deep(4 * 1'000'000);
  for (std::size_t i = 0; i < deep.size(); i += 4) deep[i] = std::byte{1};
  tree root;
  CHECK_FALSE(decoded(deep, root));
}

TEST_CASE("codec: codecs of types that depend on the link see its context") {
  std::uint32_t offset = 1000;
  const bytes out = encoded(with_handle{handle(7), -1}, &offset);
  CHECK(hex(out) == "ef030000ffffffff");
  with_handle back;
  REQUIRE(decoded(out, back, false, &offset));
  CHECK(back.target.id() == 7);
  CHECK(back.n == -1);
}

TEST_CASE("codec: a variant without a value is not encoded") {
  struct thrower {
    operator line() const { throw std::runtime_error("no line"); }
  };
  std::variant<int, line> broken;
  CHECK_THROWS_AS(broken.emplace<line>(thrower{}), std::runtime_error);
  REQUIRE(broken.valueless_by_exception());
  bytes out(64);
  troupe::writer w(out);
  troupe::encode_message(w, broken);
  CHECK_FALSE(w.ok());
}

namespace {

std::size_t held(const everything& e) {
  std::size_t size = e.bits.capacity() / 8 + e.quotes.capacity() * sizeof(quote) + e.names[0].capacity() +
                     e.names[1].capacity() + e.both.second.capacity() + e.by_name.size() * sizeof(line);
  if (e.maybe) size += e.maybe->capacity() * sizeof(std::optional<int>);
  return size + e.root.kids.capacity() * sizeof(tree);
}

std::size_t held(const order& o) {
  std::size_t size = o.lines.capacity() * sizeof(line);
  for (const line& l : o.lines) size += l.sku.capacity();
  return o.note ? size + o.note->capacity() : size;
}

/// Random bytes, and valid bytes with random damage, which get further.
template <class T>
bytes hostile_input(std::mt19937_64& random, const bytes& valid) {
  bytes in = valid;
  if (random() % 4 == 0) in.resize(random() % 200);
  const std::size_t damage = in == valid ? 1 + random() % 8 : in.size();
  for (std::size_t i = 0; i < damage && !in.empty(); ++i)
    in[random() % in.size()] = static_cast<std::byte>(random());
  return in;
}

template <class T>
std::size_t fuzz(const T& sample, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const bytes valid = encoded(sample);
  std::size_t refused = 0;
  for (int i = 0; i < 50'000; ++i) {
    const bytes in = hostile_input<T>(random, valid);
    T value{};
    if (!decoded(in, value)) ++refused;
    if (held(value) > 16 * in.size() + 512) FAIL("seed " << seed << " input " << i << ": " << hex(in));
    bytes again(1 << 16);
    troupe::writer w(again);
    troupe::encode_message(w, value);  // whatever came out is a sound value
    if (!w.ok()) FAIL("seed " << seed << " input " << i << " decoded into a value that cannot be encoded");
  }
  return refused;
}

}  // namespace

TEST_CASE("codec: 100,000 hostile inputs neither crash nor allocate beyond a small multiple of their size") {
  const std::size_t refused_orders = fuzz(sample_order(), 1);
  CHECK(refused_orders > 10'000);
  CHECK(refused_orders < 50'000);
  const std::size_t refused_everything = fuzz(sample_everything(), 2);
  CHECK(refused_everything > 10'000);
  CHECK(refused_everything < 50'000);
}

}  // namespace codec_test
