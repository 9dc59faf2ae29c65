// Operating errors as values, and their words.
#include "catch.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include <troupe/result.hpp>

using troupe::errc;

TEST_CASE("every error code has words of its own", "[result]") {
  std::vector<std::string> seen;
  for (int code = 0; code <= static_cast<int>(errc::io_failed); ++code) {
    const std::string words(to_string(static_cast<errc>(code)));
    CHECK(words != "unknown error");
    CHECK(std::find(seen.begin(), seen.end(), words) == seen.end());
    seen.push_back(words);
  }
  CHECK(to_string(static_cast<errc>(250)) == "unknown error");
}

TEST_CASE("a refused I/O operation names the errno", "[result]") {
  CHECK(troupe::error(errc::io_failed, EPERM).text() ==
        "input/output failed (EPERM: operation not permitted)");
  CHECK(troupe::error(errc::io_failed, 99999).text().find("99999") != std::string::npos);
  CHECK(troupe::error(errc::mailbox_full).text() == "mailbox full");
}

TEST_CASE("a result with no value throws the words of its error", "[result]") {
  const troupe::result<int> broken = troupe::error(errc::link_down);
  CHECK_THROWS_WITH(broken.value(), "link down");
  const troupe::result<int, troupe::setup_error> refused = troupe::setup_error{"cannot listen on x: y; do z"};
  CHECK_THROWS_WITH(refused.value(), "cannot listen on x: y; do z");
  CHECK(troupe::result<int>(7).value() == 7);
}
