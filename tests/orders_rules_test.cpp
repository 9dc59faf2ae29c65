// The order pipeline's rules: parsing, each status, which one comes first, and sharding by SKU.
#include "orders/rules.hpp"

#include <algorithm>
#include <climits>
#include <vector>

#include "catch.hpp"

using namespace orders;

namespace {

constexpr const char* good_card = "4242424242424242";
constexpr const char* bad_luhn_card = "4242424242424241";
constexpr const char* declined_card = "4000000000000002";

order sample(std::uint64_t id, std::string sku, std::int64_t quantity, std::string card = good_card) {
  return order{1, id, std::move(sku), quantity, 250, "ann", std::move(card)};
}

// The stages in one place, with any number of stock shards.
class pipeline {
 public:
  explicit pipeline(const std::vector<stock_item>& items, std::uint32_t shards = 1) : shards_(shards) {
    for (const stock_item& item : items) {
      check_.add_sku(item.sku);
      shards_[shard_of(item.sku, shards)].add(item);
    }
  }

  status settle(const order& o) {
    if (const auto refused = check_.decide(o)) return *refused;
    auto& shard = shards_[shard_of(o.sku, static_cast<std::uint32_t>(shards_.size()))];
    if (const auto refused = shard.decide(o)) return *refused;
    return payment_status(o);
  }

 private:
  checker check_;
  std::vector<stock_shard> shards_;
};

bool malformed(std::string_view text) { return !parse_order(text, 1); }

}  // namespace

TEST_CASE("a well-formed line becomes an order with all its fields") {
  const auto parsed =
      parse_order("18446744073709551615,SKU 1,-9223372036854775808,4294967295,\"ann\",424242424242", 7);
  REQUIRE(parsed);
  CHECK(parsed->line == 7);
  CHECK(parsed->id == 18446744073709551615u);
  CHECK(parsed->sku == "SKU 1");
  CHECK(parsed->quantity == INT64_MIN);
  CHECK(parsed->unit_cents == 4294967295u);
  CHECK(parsed->customer == "\"ann\"");
  CHECK(parsed->card == "424242424242");
}

TEST_CASE("leading zeros and a negative zero are decimals") {
  const auto parsed = parse_order("000000000000000000000000000007,s,-0,00000000000012,c,000000000000", 1);
  REQUIRE(parsed);
  CHECK(parsed->id == 7);
  CHECK(parsed->quantity == 0);
  CHECK(parsed->unit_cents == 12);
}

TEST_CASE("a line without exactly six fields is malformed") {
  CHECK(malformed(""));
  CHECK(malformed("1"));
  CHECK(malformed("1,s,1,1,c"));
  CHECK(malformed("1,s,1,1,c,4242424242424242,"));
  CHECK(malformed("1,s,1,1,c,4242424242424242,x"));
  CHECK_FALSE(malformed("1,s,1,1,c,4242424242424242"));
}

TEST_CASE("a number that is no decimal or does not fit makes the line malformed") {
  for (const char* id : {"", "-1", "+1", " 1", "1 ", "1.0", "0x1", "a", "18446744073709551616"}) {
    INFO("id " << id);
    CHECK(malformed(std::string(id) + ",s,1,1,c,4242424242424242"));
  }
  for (const char* quantity :
       {"", "-", "+1", "--1", "1-", " 1", "1.0", "9223372036854775808", "-9223372036854775809"}) {
    INFO("quantity " << quantity);
    CHECK(malformed("1,s," + std::string(quantity) + ",1,c,4242424242424242"));
  }
  for (const char* unit_cents : {"", "-0", "+0", "0 ", "1.5", "1e2", "4294967296"}) {
    INFO("unit_cents " << unit_cents);
    CHECK(malformed("1,s,1," + std::string(unit_cents) + ",c,4242424242424242"));
  }
}

TEST_CASE("an empty sku or customer and a card that is not 12 to 19 digits make the line malformed") {
  CHECK(malformed("1,,1,1,c,4242424242424242"));
  CHECK(malformed("1,s,1,1,,4242424242424242"));
  CHECK_FALSE(malformed("1,s,1,1,c," + std::string(12, '0')));
  CHECK_FALSE(malformed("1,s,1,1,c," + std::string(19, '0')));
  CHECK(malformed("1,s,1,1,c," + std::string(11, '0')));
  CHECK(malformed("1,s,1,1,c," + std::string(20, '0')));
  CHECK(malformed("1,s,1,1,c,4242 4242 4242"));
  CHECK(malformed("1,s,1,1,c,-42424242424242"));
  CHECK(malformed("1,s,1,1,c,4242424242424242\r"));
}

TEST_CASE("a line over the limit is malformed, one at the limit is not") {
  const std::string rest = ",1,1,c,4242424242424242";
  const std::string start = "1,";
  const std::string sku(max_line_bytes - start.size() - rest.size(), 's');
  CHECK_FALSE(malformed(start + sku + rest));
  CHECK(malformed(start + sku + 's' + rest));
}

TEST_CASE("Luhn accepts known card numbers and refuses each single wrong digit") {
  for (const std::string card :
       {"4242424242424242", "378282246310005", "6011111111111117", "79927398713", "0"}) {
    INFO(card);
    CHECK(luhn_valid(card));
    for (std::size_t i = 0; i < card.size(); ++i) {
      std::string wrong = card;
      wrong[i] = static_cast<char>('0' + (wrong[i] - '0' + 1) % 10);
      CHECK_FALSE(luhn_valid(wrong));
    }
  }
}

TEST_CASE("each status has the name the ledger uses") {
  const char* names[] = {"malformed", "duplicate_id", "unknown_sku", "bad_quantity",
                         "bad_card",  "out_of_stock", "declined",    "paid"};
  for (std::size_t i = 0; i < status_count; ++i) CHECK(to_string(static_cast<status>(i)) == names[i]);
  CHECK(to_string(static_cast<status>(status_count)) == "invalid");
}

TEST_CASE("each status of a well-formed order has its own cause") {
  pipeline shop({{"apple", 1000}, {"pear", 0}});
  CHECK(shop.settle(sample(1, "apple", 1)) == status::paid);
  CHECK(shop.settle(sample(1, "apple", 1)) == status::duplicate_id);
  CHECK(shop.settle(sample(2, "plum", 1)) == status::unknown_sku);
  CHECK(shop.settle(sample(3, "apple", 0)) == status::bad_quantity);
  CHECK(shop.settle(sample(4, "apple", 1, bad_luhn_card)) == status::bad_card);
  CHECK(shop.settle(sample(5, "pear", 1)) == status::out_of_stock);
  CHECK(shop.settle(sample(6, "apple", 1, declined_card)) == status::declined);
}

TEST_CASE("the first status that applies wins over every later one") {
  const std::string bad_declined_card = "4000000000000003";
  pipeline shop({{"apple", 0}});
  // Everything is wrong with the first one of these; each next one is right in one more respect.
  CHECK(shop.settle(sample(1, "plum", 0, bad_declined_card)) == status::unknown_sku);
  CHECK(shop.settle(sample(1, "plum", 0, bad_declined_card)) == status::duplicate_id);
  CHECK(shop.settle(sample(2, "apple", 0, bad_declined_card)) == status::bad_quantity);
  CHECK(shop.settle(sample(3, "apple", 1, bad_declined_card)) == status::bad_card);
  CHECK(shop.settle(sample(4, "apple", 1, declined_card)) == status::out_of_stock);
}

TEST_CASE("an id is taken by any well-formed order, whatever became of that one") {
  pipeline shop({{"apple", 10}});
  CHECK(shop.settle(sample(1, "plum", 1)) == status::unknown_sku);
  CHECK(shop.settle(sample(1, "apple", 1)) == status::duplicate_id);
  CHECK(shop.settle(sample(2, "apple", 11)) == status::out_of_stock);
  CHECK(shop.settle(sample(2, "apple", 1)) == status::duplicate_id);
  CHECK(shop.settle(sample(3, "apple", 10)) == status::paid);  // the duplicates took nothing
}

TEST_CASE("quantities from 1 to 1000 are allowed") {
  pipeline shop({{"apple", 5000}});
  CHECK(shop.settle(sample(1, "apple", 1)) == status::paid);
  CHECK(shop.settle(sample(2, "apple", 1000)) == status::paid);
  CHECK(shop.settle(sample(3, "apple", 1001)) == status::bad_quantity);
  CHECK(shop.settle(sample(4, "apple", -1)) == status::bad_quantity);
  CHECK(shop.settle(sample(5, "apple", INT64_MIN)) == status::bad_quantity);
  CHECK(shop.settle(sample(6, "apple", INT64_MAX)) == status::bad_quantity);
}

TEST_CASE("an order takes all of its quantity or nothing, and a declined one gives nothing back") {
  pipeline shop({{"apple", 10}});
  CHECK(shop.settle(sample(1, "apple", 11)) == status::out_of_stock);
  CHECK(shop.settle(sample(2, "apple", 4, declined_card)) == status::declined);
  CHECK(shop.settle(sample(3, "apple", 7)) == status::out_of_stock);
  CHECK(shop.settle(sample(4, "apple", 6)) == status::paid);
  CHECK(shop.settle(sample(5, "apple", 1)) == status::out_of_stock);
}

TEST_CASE("only cards that begin with 4000 are declined") {
  CHECK(payment_status(sample(1, "apple", 1, "400012345678")) == status::declined);
  CHECK(payment_status(sample(1, "apple", 1, "400112345678")) == status::paid);
  CHECK(payment_status(sample(1, "apple", 1, "040001234567")) == status::paid);
}

TEST_CASE("only a paid order has an amount, and the largest one fits") {
  order o = sample(9, "apple", 1000);
  o.unit_cents = 4294967295u;
  CHECK(make_entry(o, status::paid).amount_cents == 4294967295000u);
  CHECK(make_entry(o, status::paid).id == 9);
  CHECK(make_entry(o, status::declined).amount_cents == 0);
  CHECK(malformed_entry(3).line == 3);
  CHECK(malformed_entry(3).outcome == status::malformed);
}

TEST_CASE("any number of stock shards gives the statuses of one") {
  const std::vector<stock_item> items = {{"a", 40}, {"b", 7}, {"c", 100}, {"d", 0},
                                         {"e", 13}, {"f", 1}, {"g", 60}};
  std::vector<order> feed;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const auto quantity = static_cast<std::int64_t>(i * 7 % 11 + 1);
    feed.push_back(
        sample(i, items[i * 5 % items.size()].sku, quantity, i % 6 == 0 ? declined_card : good_card));
  }
  std::vector<status> expected;
  pipeline unsharded(items);
  for (const order& o : feed) expected.push_back(unsharded.settle(o));
  for (const status s : {status::out_of_stock, status::declined, status::paid}) {
    CHECK(std::count(expected.begin(), expected.end(), s) > 5);
  }
  for (const std::uint32_t shards : {2u, 3u, 4u, 16u}) {
    pipeline sharded(items, shards);
    std::vector<status> found;
    for (const order& o : feed) found.push_back(sharded.settle(o));
    CHECK(found == expected);
  }
}

TEST_CASE("shards served one after the other give the statuses of the input's order") {
  const std::vector<stock_item> items = {{"a", 9}, {"b", 4}, {"c", 6}};
  checker check;
  std::vector<stock_shard> shards(3);
  stock_shard whole;
  for (const stock_item& item : items) {
    check.add_sku(item.sku);
    whole.add(item);
    shards[shard_of(item.sku, 3)].add(item);
  }
  std::vector<order> feed;
  for (std::uint64_t i = 0; i < 60; ++i)
    feed.push_back(sample(i, items[i % 3].sku, static_cast<std::int64_t>(i % 4 + 1)));
  std::vector<std::optional<status>> expected, found(feed.size());
  for (const order& o : feed) expected.push_back(whole.decide(o));
  for (std::uint32_t shard = 0; shard < 3; ++shard) {  // as if the other shards were far behind
    for (std::size_t i = 0; i < feed.size(); ++i) {
      if (shard_of(feed[i].sku, 3) == shard) found[i] = shards[shard].decide(feed[i]);
    }
  }
  CHECK(found == expected);
}

TEST_CASE("a SKU's shard is the same in every build") {
  CHECK(shard_of("SKU-00001", 1000) == 396);
  CHECK(shard_of("\xc3\xa9", 1000) == 217);
  CHECK(shard_of("SKU-00001", 1) == 0);
}
