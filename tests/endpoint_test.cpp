// Endpoint URLs: what parses, what prints, and what a wrong one is told.
#include "catch.hpp"

#include <string>
#include <utility>

#include <troupe/env.hpp>

using troupe::endpoint;

TEST_CASE("an endpoint URL prints as it was written", "[endpoint]") {
  const std::string url =
      GENERATE(as<std::string>(), "tcp://127.0.0.1:7000", "tcp://0.0.0.0:0", "tcp://[::1]:65535",
               "tcp://[fe80::1:2]:80", "tcp://back-end_1.example.org:9", "unix:///run/troupe/a.sock",
               "unix://@troupe-abstract");
  const auto e = endpoint::parse(url);
  REQUIRE(e.has_value());
  CHECK(e->url() == url);
  CHECK(endpoint::parse(e->url()).value() == *e);
}

TEST_CASE("an endpoint has the parts of its URL", "[endpoint]") {
  const endpoint v6 = endpoint::parse("tcp://[::1]:7000").value();
  CHECK(v6.family == endpoint::kind::tcp);
  CHECK(v6.host == "::1");
  CHECK(v6.port == 7000);

  const endpoint abstract = endpoint::parse("unix://@name").value();
  CHECK(abstract.family == endpoint::kind::local);
  CHECK(abstract.path == "@name");
}

TEST_CASE("a bad endpoint URL is refused with the part that is wrong and what to write", "[endpoint]") {
  const auto [url, part] = GENERATE_COPY(table<std::string, std::string>({
      {"", "unknown scheme"},
      {"7000", "unknown scheme"},
      {"http://a:1", "unknown scheme"},
      {"TCP://a:1", "unknown scheme"},
      {"tcp://", "no port; write tcp://HOST:PORT"},
      {"tcp://localhost", "no port"},
      {"tcp://[::1]", "no port"},
      {"tcp://:7000", "no host"},
      {"tcp://::1:7000", "needs brackets"},
      {"tcp://[::zz]:7000", "'::zz' is no IPv6 address"},
      {"tcp://[127.0.0.1]:7000", "'127.0.0.1' is no IPv6 address"},
      {"tcp://[]:7000", "'' is no IPv6 address"},
      {"tcp://[::1:7000", "no port"},
      {"tcp://[::1]x:7000", "needs brackets"},
      {"tcp://a b:7000", "'a b' is no host name"},
      {"tcp://user@host:7000", "is no host name"},
      {"tcp://host:", "'' is no port"},
      {"tcp://host:x", "'x' is no port"},
      {"tcp://host:65536", "'65536' is no port"},
      {"tcp://host:-1", "'-1' is no port"},
      {"tcp://host:+1", "'+1' is no port"},
      {"tcp://host:1 ", "'1 ' is no port"},
      {"tcp://host:7000/", "'7000/' is no port"},
      {"tcp://host:99999999999999999999", "is no port; write a number from 0 to 65535"},
      {"tcp://" + std::string(254, 'a') + ":1", "is no host name"},
      {"unix://", "no socket path"},
      {"unix:///", "no socket path"},
      {"unix://@", "no socket path"},
      {"unix://relative", "no socket path"},
      {"unix:///" + std::string(107, 'a'), "has 108 bytes; at most 107"},
      {std::string("unix:///a\0b", 11), "zero byte"},
  }));
  const auto e = endpoint::parse(url);
  REQUIRE_FALSE(e.has_value());
  CAPTURE(e.error().text);
  CHECK(e.error().text.find("bad endpoint '" + url + "'") == 0);
  CHECK(e.error().text.find(part) != std::string::npos);
}

TEST_CASE("the longest socket path is accepted", "[endpoint]") {
  CHECK(endpoint::parse("unix:///" + std::string(106, 'a')).has_value());
}

TEST_CASE("loopback is told by address, not by guess", "[endpoint]") {
  const auto [url, expected] = GENERATE(table<std::string, bool>({{"tcp://127.0.0.1:1", true},
                                                                  {"tcp://127.255.0.9:1", true},
                                                                  {"tcp://[::1]:1", true},
                                                                  {"tcp://localhost:1", true},
                                                                  {"unix:///a", true},
                                                                  {"unix://@a", true},
                                                                  {"tcp://0.0.0.0:1", false},
                                                                  {"tcp://[::]:1", false},
                                                                  {"tcp://128.0.0.1:1", false},
                                                                  {"tcp://127.example.org:1", false},
                                                                  {"tcp://example.org:1", false}}));
  CAPTURE(url);
  CHECK(endpoint::parse(url).value().is_loopback() == expected);
}
