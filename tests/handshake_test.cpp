// Greetings: what is written is read back, and everything else is refused.
#include "handshake.hpp"

#include "catch.hpp"

using namespace troupe::detail;

namespace {

hello example() {
  hello h;
  h.node = {"back-1.host_2", {1, 2}};
  h.workers = 4;
  h.window = 128 * 1024;
  h.max_destinations = 1024;
  h.max_routes = 4096;
  h.wants_shm = true;
  h.max_message = 3 << 20;
  h.session = 77;
  h.port = 7000;
  h.host = "192.0.2.7";
  return h;
}

byte_view body_of(const std::vector<std::byte>& greeting) {
  return byte_view(greeting).subspan(greeting_header_bytes);
}

}  // namespace

TEST_CASE("a hello reads back as it was written") {
  const auto bytes = greet(greeting_kind::hello, example());
  const auto header = parse_header(byte_view(bytes).first(greeting_header_bytes));
  REQUIRE(header.has_value());
  CHECK(header->kind == greeting_kind::hello);
  CHECK(header->major == wire_major);
  CHECK(header->length == bytes.size());
  const auto back = parse_hello(body_of(bytes));
  REQUIRE(back.has_value());
  CHECK(back->node.name == "back-1.host_2");
  CHECK(back->node.id == incarnation{1, 2});
  CHECK(back->workers == 4);
  CHECK(back->window == 128 * 1024);
  CHECK(back->max_destinations == 1024);
  CHECK(back->max_routes == 4096);
  CHECK(back->max_message == 3 << 20);
  CHECK(back->session == 77);
  CHECK(back->port == 7000);
  CHECK(back->host == "192.0.2.7");
  CHECK(back->wants_shm);
}

TEST_CASE("a hello that is longer than ours is understood, a later minor version becomes ours") {
  hello later = example();
  later.minor = 200;
  auto bytes = greet(greeting_kind::hello, later);
  bytes.resize(bytes.size() + 10);
  const auto back = parse_hello(body_of(bytes));
  REQUIRE(back.has_value());
  CHECK(back->minor == wire_minor);
  CHECK(back->node.name == later.node.name);
}

TEST_CASE("every truncated hello is refused") {
  const auto bytes = greet(greeting_kind::hello, example());
  const std::size_t second_version =
      body_of(bytes).size() - sizeof hello::session - sizeof hello::port - 1 - example().host.size();
  const std::size_t first_version = second_version - sizeof hello::max_message;
  for (std::size_t n = 0; n < body_of(bytes).size(); ++n) {
    const bool is_whole = n == first_version || n == second_version;
    CHECK(parse_hello(body_of(bytes).first(n)).has_value() == is_whole);
  }
  const auto old = parse_hello(body_of(bytes).first(first_version));
  REQUIRE(old.has_value());
  CHECK(old->max_message == max_chunk);
  CHECK(old->session == 0);
}

TEST_CASE("a hello with a bad name or impossible limits is refused with the reason") {
  const auto refused = [](auto change) {
    hello h = example();
    change(h);
    const auto parsed = parse_hello(body_of(greet(greeting_kind::hello, h)));
    return parsed ? std::string() : parsed.error();
  };
  CHECK(refused([](hello&) {}).empty());
  CHECK(refused([](hello& h) { h.node.name.clear(); }).find("node name") != std::string::npos);
  CHECK(refused([](hello& h) { h.node.name = "a b"; }).find("node name") != std::string::npos);
  CHECK(refused([](hello& h) { h.node.name = std::string(65, 'a'); }).find("node name") != std::string::npos);
  CHECK(refused([](hello& h) { h.host = "back.example"; }).find("no address") != std::string::npos);
  for (const char* const none : {"999.1.1.1", "...", "a:b", "1.2.3", "fe80::1%eth0"})
    CHECK(refused([&](hello& h) { h.host = none; }).find("no address") != std::string::npos);
  CHECK(refused([](hello& h) { h.host = "::1"; }).empty());
  CHECK(refused([](hello& h) { h.workers = 0; }).find("workers") != std::string::npos);
  CHECK(refused([](hello& h) { h.window = 64 * 1024; }).find("window") != std::string::npos);
  CHECK(refused([](hello& h) { h.window = ~0u; }).find("window") != std::string::npos);
  CHECK(refused([](hello& h) { h.max_destinations = 0; }).find("destinations") != std::string::npos);
  CHECK(refused([](hello& h) { h.max_routes = 0; }).find("routes") != std::string::npos);
}

TEST_CASE("the first eight bytes of a stranger are not a greeting") {
  CHECK_FALSE((parse_header(bytes_of("GET / HT"))).has_value());
  CHECK_FALSE((parse_header(bytes_of(std::string_view("\0\0\0\0\0\0\0\0", 8)))).has_value());
  auto bytes = greet(greeting_kind::confirm);
  store<std::uint16_t>(bytes.data() + 6, 7);
  CHECK_FALSE((parse_header(bytes)).has_value());
  store<std::uint16_t>(bytes.data() + 6, max_greeting + 1);
  CHECK_FALSE((parse_header(bytes)).has_value());
}

TEST_CASE("a refusal reads back, its text bounded and fit for a log") {
  refusal no;
  no.code = refusal_code::already_linked;
  no.who = {3, 4};
  no.text = "line\n\x1b[2J" + std::string(2000, 'x');
  const auto bytes = greet(no);
  const auto back = parse_refusal(body_of(bytes));
  REQUIRE(back.has_value());
  CHECK(back->code == refusal_code::already_linked);
  CHECK(back->who == incarnation{3, 4});
  CHECK(back->text.size() == max_greeting_text);
  CHECK(back->text.substr(0, 9) == "line??[2J");
}
