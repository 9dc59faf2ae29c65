// troupe-keys: makes the key of a node, and prints the line by which the allow-lists of the others know it.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "allow_list.hpp"
#include "handshake.hpp"
#include "key_files.hpp"

namespace {

using namespace troupe::detail;
using troupe::result;
using troupe::setup_error;

result<node_key, setup_error> make_file(const std::string& path) {
  auto key = node_key::make();
  if (!key) return key;
  if (const auto written = write_key_file(troupe::os_env(), path, *key); !written) return written.error();
  return std::move(*key);
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int bad_usage = 2;
  std::string name;
  std::string path;
  CLI::App app(
      "Makes the key of a node, and prints the line by which the allow-lists of other nodes know it.");
  CLI::App* const fresh = app.add_subcommand(
      "new", "make a key in the new FILE, for its owner alone to read, and print its line");
  CLI::App* const show = app.add_subcommand("show", "print the line of the key in FILE");
  for (CLI::App* const command : {fresh, show}) {
    command->add_option("NAME", name, "name of the node")->required();
    command->add_option("FILE", path, "its key file")->required();
  }
  app.require_subcommand(1);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::fputs(app.help().c_str(), stdout);
    return 0;
  } catch (const CLI::ParseError& e) {
    std::fprintf(stderr, "troupe-keys: %s (--help says how it is used)\n", e.what());
    return bad_usage;
  }
  if (!valid_node_name(name)) {
    std::fprintf(stderr,
                 "troupe-keys: \"%s\" is no node name: choose 1 to 64 characters of A-Z a-z 0-9 . _ -\n",
                 name.c_str());
    return bad_usage;
  }
  const auto key = fresh->parsed() ? make_file(path) : read_key_file(path);
  if (!key) {
    std::fprintf(stderr, "troupe-keys: %s\n", key.error().text.c_str());
    return bad_usage;
  }
  std::puts(allow_list_line(name, key->public_half()).c_str());
  return 0;
}
