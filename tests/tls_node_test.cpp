// Nodes with keys and allow-lists in files.
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "key_files.hpp"
#include "remote_support.hpp"

using namespace test;
using namespace troupe::detail;

namespace tls_nodes {
struct counter_add {
  using reply = std::uint64_t;
  std::uint64_t by;
};
}  // namespace tls_nodes
using tls_nodes::counter_add;

namespace {

using counter = troupe::protocol<counter_add>;

troupe::actor run_counter(troupe::self<counter> self) {
  std::uint64_t sum = 0;
  co_await self.serve([&](const counter_add& a) { return sum += a.by; });
}

/// A folder with the keys of `front` and `back`, and the list of both.
class key_folder {
 public:
  key_folder()
      : path_(std::filesystem::temp_directory_path() / ("troupe-keys-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
    std::string list = "# both\n";
    for (const std::string name : {"front", "back"}) {
      const node_key key = node_key::make().value();
      REQUIRE(write_key_file(troupe::os_env(), file(name), key));
      list += allow_list_line(name, key.public_half()) + "\n";
    }
    std::ofstream(file("peers")) << list;
    ::chmod(file("peers").c_str(), 0600);
  }
  ~key_folder() { std::filesystem::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ / name; }
  troupe::node_options options(const std::string& name) const {
    return {.name = name,
            .listen = {"tcp://0.0.0.0:0"},
            .workers = 1,
            .lanes = troupe::lane_choice::tcp,
            .key = file(name),
            .peers = file("peers")};
  }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("tls: two nodes with keys in files, and an ask from the one to the other") {
  const key_folder keys;
  auto back = start(keys.options("back"));
  auto front = start(keys.options("front"));
  const auto sum = back.spawn(run_counter);
  const std::string at = back.endpoints()[0];
  join(front, "tcp://127.0.0.1:" + at.substr(at.rfind(':') + 1));
  CHECK(link_to(front, "back").why.find("TLS 1.3") != std::string::npos);
  const auto seen = seen_from(front, back, sum);
  const auto answer = seen.blocking_ask<counter_add>(10s, 41u);
  REQUIRE(answer);
  CHECK(*answer == 41);
}

TEST_CASE("tls: what is wrong with a node's keys is one line that names the file") {
  const key_folder keys;
  const auto error_of = [](const troupe::node_options& o) {
    const auto node = troupe::node::start(o);
    return node ? std::string() : node.error().text;
  };
  CHECK(error_of(keys.options("back")).empty());
  troupe::node_options options = keys.options("back");
  options.key = keys.file("missing");
  CHECK(error_of(options).find(keys.file("missing")) != std::string::npos);
  options = keys.options("back");
  options.peers = keys.file("missing");
  CHECK(error_of(options).find(keys.file("missing")) != std::string::npos);
  options = keys.options("back");
  options.peers.clear();
  CHECK(error_of(options).find("key and peers") != std::string::npos);
  options = keys.options("back");
  options.name.clear();
  CHECK(error_of(options).find("needs a name") != std::string::npos);
  ::chmod(keys.file("back").c_str(), 0640);
  CHECK(error_of(keys.options("back")).find(keys.file("back")) != std::string::npos);
}
