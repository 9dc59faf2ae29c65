#include "catch.hpp"
#include "chat/tick.hpp"

using chat::parse_tick;
using chat::tick_book;

TEST_CASE("a tick survives being said, padded or not", "[chat]") {
  for (const std::size_t length : {0u, 10u, 11u, 12u, 200u}) {
    const std::string text = chat::tick_text({17, -123}, length);
    CHECK(text.size() == (length > 10 ? length : 9));
    const auto t = parse_tick(text);
    REQUIRE(t.has_value());
    CHECK(t->number == 17);
    CHECK(t->at == -123);
  }
  for (const std::string text : {"", "#", "#1", "#1 @", "#x @1", "1 @1", "@1 #1"})
    CHECK_FALSE(parse_tick(text).has_value());
}

TEST_CASE("a tick book notices what is missing, doubled or early, for each speaker", "[chat]") {
  tick_book book;
  book.heard("ann", {5, 0});  // it may join late
  book.heard("ann", {6, 0});
  book.heard("bob", {1, 0});
  CHECK(book.disorder() == 0);
  book.heard("ann", {8, 0});
  CHECK(book.disorder() == 1);
  book.heard("ann", {8, 0});
  CHECK(book.disorder() == 2);
  book.heard("bob", {3, 0});
  book.heard("bob", {2, 0});
  CHECK(book.disorder() == 4);
  CHECK(book.heard() == 7);
  CHECK(book.last_of("bob") == 2);
  CHECK(book.last_of("eve") == 0);
}

TEST_CASE("a tick book of who was there from the first notices that first ticks are missing", "[chat]") {
  tick_book book(chat::listens::from_the_first);
  book.heard("ann", {1, 0});
  CHECK(book.disorder() == 0);
  book.heard("bob", {2, 0});
  CHECK(book.disorder() == 1);
  book.missed(3);
  book.heard("eve", {3, 0});
  CHECK(book.disorder() == 1);
}

TEST_CASE("a tick book allows gaps for the lines that the listener was told it missed, once", "[chat]") {
  tick_book book;
  book.heard("ann", {1, 0});
  book.missed(3);
  book.heard("ann", {3, 0});
  book.heard("ann", {6, 0});
  CHECK(book.disorder() == 0);
  book.heard("ann", {8, 0});
  CHECK(book.disorder() == 1);
}
