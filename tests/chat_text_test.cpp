#include "catch.hpp"
#include "chat/text.hpp"

using chat::clean;
using chat::parse_command;
using verb = chat::command::verb;

TEST_CASE("clean keeps text in any language as it is", "[chat]") {
  for (const std::string text :
       {"", "hello", "gr\u00fc\u00df dich", "\u4f60\u597d", "\U0001f600 ok", "a  b "}) {
    CHECK(clean(text) == text);
  }
}

TEST_CASE("clean takes control characters out and replaces ill-formed bytes", "[chat]") {
  CHECK(clean("a\x1b[2Jb\x07\x7f\r\n") == "a[2Jb");
  CHECK(clean("a\tb") == "a b");
  CHECK(clean("a\xc2\x9b"
              "2Jb") == "a2Jb");  // C1, well-formed
  CHECK(clean("a\xe0\x82\x9b"
              "b") == "a???b");           // C1, overlong
  CHECK(clean("\x80\xff\xc3") == "???");  // no lead, no such byte, cut off
  CHECK(clean(std::string("a\0b", 3)) == "ab");
}

TEST_CASE("clean cuts between characters", "[chat]") {
  CHECK(clean(std::string(1000, 'a')).size() == chat::longest_text);
  std::string two_bytes = "a";
  for (int i = 0; i < 400; ++i) two_bytes += "\u00fc";
  CHECK(clean(two_bytes).size() == chat::longest_text - 1);
}

TEST_CASE("names are short and plain", "[chat]") {
  for (const std::string name : {"a", "Ann_2-x", "12345678901234567890"}) CHECK(chat::is_name(name));
  for (const std::string name : {"", "a b", "\u00fc", "a\x1b", "123456789012345678901", "a/b"}) {
    CHECK_FALSE(chat::is_name(name));
  }
}

TEST_CASE("commands are parsed with any blanks between their words", "[chat]") {
  CHECK(parse_command("").what == verb::nothing);
  CHECK(parse_command("   ").what == verb::nothing);
  const auto said = parse_command(" hello /who");
  CHECK(said.what == verb::say);
  CHECK(said.text == " hello /who");
  const auto told = parse_command("/msg   bob   two  words ");
  CHECK(told.what == verb::tell);
  CHECK(told.name == "bob");
  CHECK(told.text == "two  words ");
  CHECK(parse_command("/nick ann ").name == "ann");
  CHECK(parse_command("/nick").name.empty());
  CHECK(parse_command("/who").what == verb::who);
  CHECK(parse_command("/quit now").what == verb::quit);
  CHECK(parse_command("/help").what == verb::help);
  CHECK(parse_command("/").what == verb::unknown);
  CHECK(parse_command("/whois").name == "/whois");
}
