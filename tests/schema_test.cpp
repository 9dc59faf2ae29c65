// schema.hpp: the texts (the same on both compilers), and which texts are compatible.
#include "catch.hpp"

#include <string>
#include <troupe/codec_map.hpp>
#include <troupe/describe.hpp>
#include <troupe/schema.hpp>

namespace schema_test {

struct deposit {
  std::int64_t cents;
};
struct balance {
  using reply = std::int64_t;
};
struct stop {
  using reply = void;
};
struct line {
  std::string sku;
  std::uint32_t qty;
};
struct card {
  std::string number;
};
struct cash {};
enum class channel : std::uint8_t { shop, web };
struct order {
  using reply = std::vector<line>;
  std::uint64_t id;
  std::vector<line> lines;
  std::optional<std::string> note;
  std::variant<card, cash> pay;
};
struct scalars {
  bool b;
  char c;
  std::int8_t i8_;
  std::uint16_t u16;
  long l;
  unsigned long long ull;
  float f;
  double d;
  channel from;
  std::chrono::milliseconds wait;
  std::array<std::pair<int, char>, 3> a;
  std::map<int, std::string> names;
};
struct tree {
  std::vector<tree> kids;
};
struct folder;
struct entry {
  std::vector<folder> folders;
};
struct folder {
  std::vector<entry> entries;
  std::string name;
};
template <class T>
struct box {
  struct item {
    T value;
  };
  T value;
};
struct outer {
  struct inner {
    int n;
  };
};
class account {
  std::string owner_;
  std::int64_t cents_ = 0;
  BOOST_DESCRIBE_CLASS(account, (), (), (), (owner_, cents_))
};
namespace {
struct hidden {
  int n;
};
}  // namespace

template <class T>
std::string text() {
  return std::string(troupe::message_schema_text<T>());
}

TEST_CASE("schema: a type's name is qualified and has no template arguments") {
  CHECK(troupe::type_name<deposit>() == "schema_test::deposit");
  CHECK(troupe::type_name<outer::inner>() == "schema_test::outer::inner");
  CHECK(troupe::type_name<box<std::vector<int>>>() == "schema_test::box");
  CHECK(troupe::type_name<box<box<int>>::item>() == "schema_test::box::item");
  CHECK(troupe::type_name<channel>() == "schema_test::channel");
  struct local {
    int n;
  };
  CHECK(troupe::type_name<local>() == "local");
  CHECK(troupe::type_name<troupe::errc>() == "troupe::errc");
  CHECK(troupe::type_name<troupe::detail::name_text<1>>() == "troupe::detail::name_text");
}

TEST_CASE("schema: types in anonymous namespaces are told") {
  STATIC_REQUIRE(troupe::in_anonymous_namespace<hidden>());
  STATIC_REQUIRE_FALSE(troupe::in_anonymous_namespace<deposit>());
  STATIC_REQUIRE_FALSE(troupe::in_anonymous_namespace<box<hidden>>());
  CHECK(troupe::type_name<hidden>() == "schema_test::(anonymous)::hidden");
}

TEST_CASE("schema: the text lists names and types of the fields") {
  CHECK(text<deposit>() == "schema_test::deposit{cents:i64}");
  CHECK(text<scalars>() ==
        "schema_test::scalars{b:bool,c:char,i8_:i8,u16:u16,l:i64,ull:u64,f:f32,d:f64,"
        "from:schema_test::channel(u8),wait:duration(i64,1/1000),a:[(i32,char);3],names:map(i32,str)}");
  CHECK(text<cash>() == "schema_test::cash{}");
  CHECK(text<box<int>>() == "schema_test::box{value:i32}");
  CHECK(text<account>() == "schema_test::account{owner_:str,cents_:i64}");
  CHECK(text<hidden>() == "schema_test::(anonymous)::hidden{n:i32}");
}

TEST_CASE("schema: a request's text ends in its reply's") {
  CHECK(text<balance>() == "schema_test::balance{}->i64");
  CHECK(text<stop>() == "schema_test::stop{}->void");
  CHECK(text<order>() ==
        "schema_test::order{id:u64,lines:[schema_test::line{sku:str,qty:u32}],note:?str,"
        "pay:<schema_test::card{number:str}|schema_test::cash{}>}->[schema_test::line{sku:str,qty:u32}]");
  CHECK(troupe::schema_text<balance>() == "schema_test::balance{}");
  const troupe::schema_halves halves = troupe::split_schema(troupe::message_schema_text<balance>());
  CHECK(halves.message == "schema_test::balance{}");
  CHECK(halves.reply == "i64");
}

TEST_CASE("schema: inside itself a type is written by its name") {
  CHECK(text<tree>() == "schema_test::tree{kids:[schema_test::tree]}");
  CHECK(text<entry>() ==
        "schema_test::entry{folders:[schema_test::folder{entries:[schema_test::entry],name:str}]}");
  CHECK(text<folder>() ==
        "schema_test::folder{entries:[schema_test::entry{folders:[schema_test::folder]}],name:str}");
}

TEST_CASE("schema: the hash is FNV-1a of the text") {
  CHECK(troupe::schema_hash("") == 0xcbf29ce484222325U);
  CHECK(troupe::schema_hash("a") == 0xaf63dc4c8601ec8cU);
  CHECK(troupe::schema_hash("foobar") == 0x85944171f73967e8U);
  STATIC_REQUIRE(troupe::schema_hash<deposit>() == troupe::schema_hash("schema_test::deposit{cents:i64}"));
  STATIC_REQUIRE(troupe::message_schema_hash<stop>() == troupe::schema_hash("schema_test::stop{}->void"));
}

namespace {

std::string mismatch(std::string_view theirs, std::string_view ours) {
  return troupe::schema_mismatch(theirs, ours).value_or("");
}

}  // namespace

TEST_CASE("schema: texts are compatible when one list of fields is a prefix of the other") {
  const std::string_view versions[] = {"m{}", "m{a:u8}", "m{a:u8,b:[n{x:u8,y:u8}]}",
                                       "m{a:u8,b:[n{x:u8,y:u8}],c:<p{}|q{z:(i8,i8)}>}"};
  for (std::string_view theirs : versions) {
    for (std::string_view ours : versions) {
      CHECK(mismatch(theirs, ours) == "");
      CHECK(troupe::schema_is_longer(theirs, ours) == (theirs.size() > ours.size()));
    }
  }
  CHECK(mismatch("m{a:u8}->r{x:u8}", "m{}->r{x:u8,y:u8}") == "");
  CHECK_FALSE(troupe::schema_is_longer("m{}->r{x:u8,y:u8}", "m{}->i64"));
  CHECK(mismatch("str", "str") == "");
}

TEST_CASE("schema: a mismatch names the field and both its types") {
  CHECK(mismatch("bank::deposit{id:u8,cents:i32}", "bank::deposit{id:u8,cents:i64}") ==
        "bank::deposit: field 2 is cents:i64 here and cents:i32 there");
  CHECK(mismatch("m{b:u8,a:u8}", "m{a:u8,b:u8}") == "m: field 1 is a:u8 here and b:u8 there");
  CHECK(mismatch("m{a:[n{x:u8}]}", "m{a:[n{x:u8,y:u8}]}") ==
        "m: field 1 is a:[n{x:u8,y:u8}] here and a:[n{x:u8}] there");
  CHECK(mismatch("x::m{a:u8}", "y::m{a:u8}") == "y::m is y::m{a:u8} here and x::m{a:u8} there");
  CHECK(mismatch("m{}->i32", "m{}->i64") == "the reply of m is i64 here and i32 there");
  CHECK(mismatch("m{}", "m{}->i64") == "the reply of m is i64 here and nothing there");
  CHECK(mismatch("m{}->r{x:u8}", "m{}->r{x:i8}") == "the reply of m: field 1 is x:i8 here and x:u8 there");
}

TEST_CASE("schema: hostile texts are refused in few printable characters") {
  const std::string ours = "m{a:[n{x:u8,y:u8}],b:str}";
  const std::string hostile[] = {"",
                                 "{",
                                 "m",
                                 "m{",
                                 "m}",
                                 "m{a:[n{x:u8",
                                 "m{a:[n{x:u8}",
                                 "m{,}",
                                 "m{}}}}]]]{{{}",
                                 "->",
                                 "m{a:[n{x:u8,y:u8}]}->->",
                                 "m{a:\n\x01\xff}",
                                 "m{" + std::string(10'000, '<') + "}",
                                 "m{" + std::string(10'000, ',') + "}",
                                 "m{a:[n{x:u8,y:u8}],b:str," + std::string(20'000, 'c') + ":u8}",
                                 std::string(1 << 20, 'm')};
  for (const std::string& theirs : hostile) {
    const std::string why = mismatch(theirs, ours);
    INFO(theirs.substr(0, 40));
    CHECK(why != "");
    CHECK(why.size() < 400);
    CHECK(why.find_first_of("\n\x01\xff") == std::string::npos);
  }
}

}  // namespace schema_test
