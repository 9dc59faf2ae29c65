#include "catch.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "stream_input.hpp"

using namespace troupe;

namespace {

using lines = std::vector<std::string>;

std::string words(const result<std::string>& r) { return r ? *r : "<" + r.error().text() + ">"; }

}  // namespace

TEST_CASE("a stream input cuts bytes into lines however they arrive", "[stream]") {
  const std::string text = "one\r\ntwo\n\n\rthree\r\r\nlast";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    detail::stream_input input;
    lines got;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      input.append(std::string_view(text).substr(at, piece));
      while (input.has_line(20)) got.push_back(words(input.take_line(20)));
    }
    input.end(errc::closed);
    while (got.empty() || got.back() != "<closed>") got.push_back(words(input.take_line(20)));
    INFO("in pieces of " << piece);
    CHECK(got == lines{"one", "two", "", "\rthree\r", "last", "<closed>"});
  }
}

TEST_CASE("a line's limit counts neither LF nor CRLF, and what is over it is skipped", "[stream]") {
  const std::string text = "1234\r\n12345\r\n1234\n12345\n123456789012345678\nok\n12345";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    detail::stream_input input;
    lines got;
    for (std::size_t at = 0; at < text.size(); at += piece) {
      input.append(std::string_view(text).substr(at, piece));
      while (input.has_line(4)) got.push_back(words(input.take_line(4)));
    }
    input.end(errc::closed);
    while (got.back() != "<closed>") got.push_back(words(input.take_line(4)));
    INFO("in pieces of " << piece);
    CHECK(got == lines{"1234", "<too large>", "1234", "<too large>", "<too large>", "ok", "<too large>",
                       "<closed>"});
  }
}
