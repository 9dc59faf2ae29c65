#include "key_files.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace troupe::detail {
namespace {

namespace fs = std::filesystem;

/// At most `most` bytes and one more, which shows that there are too many.
result<secret_text, setup_error> read_text(const std::string& path, std::size_t most) {
  std::error_code trouble;
  const fs::file_status found = fs::status(path, trouble);
  if (found.type() == fs::file_type::not_found)
    return setup_error("cannot read " + path + ": there is no such file");
  if (trouble) return setup_error("cannot read " + path + ": " + trouble.message());
  if (!fs::is_regular_file(found)) {  // a FIFO could hold the program up for ever
    return setup_error("cannot read " + path + ": it is no regular file; choose another path");
  }
  std::ifstream in;
  in.rdbuf()->pubsetbuf(nullptr, 0);  // no copy stays behind in a buffer that nobody wipes
  in.open(path, std::ios::binary);
  if (!in)
    return setup_error("cannot read " + path + ": this user may not, or it is gone; see `ls -l " + path +
                       "`");
  const std::uintmax_t size = fs::file_size(path, trouble);
  secret_text text(static_cast<std::size_t>(std::min<std::uintmax_t>(trouble ? 0 : size, most + 1)));
  in.read(text.data(), static_cast<std::streamsize>(text.view().size()));
  if (in.bad() || in.gcount() != static_cast<std::streamsize>(text.view().size())) {
    return setup_error("cannot read " + path + ": it changed or its disk failed meanwhile; try again");
  }
  return text;
}

/// The mode as chmod has it, if any of `bits` is set in it, else empty.
std::string mode_with(fs::perms bits, const std::string& path) {
  std::error_code trouble;
  const fs::perms mode = fs::status(path, trouble).permissions();
  if (!trouble && (mode & bits) == fs::perms::none) return {};
  std::string text = "mode 0";
  for (const unsigned shift : {6u, 3u, 0u}) {
    text += static_cast<char>('0' + ((static_cast<unsigned>(mode) >> shift) & 7u));
  }
  return text;
}

}  // namespace

result<node_key, setup_error> read_key_file(const std::string& path) {
  constexpr std::size_t most = 16 * 1024;
  const auto text = read_text(path, most);
  if (!text) return text.error();
  if (const std::string mode = mode_with(fs::perms::group_all | fs::perms::others_all, path); !mode.empty()) {
    return setup_error("the key file " + path + " is open to others than its owner (" + mode +
                       "): `chmod 600 " + path + "`, or make a new key if they may have read it");
  }
  auto key = node_key::parse(text->view());
  if (!key) {
    return setup_error("the key file " + path + " is of no use: " + key.error() +
                       "; `troupe-keys new` makes one");
  }
  return std::move(*key);
}

result<void, setup_error> write_key_file(env& world, const std::string& path, const node_key& key) {
  std::error_code trouble;
  if (fs::symlink_status(path, trouble).type() != fs::file_type::not_found) {
    return setup_error(
        path + " exists already, and a key in use must not be lost; choose another path, or remove it");
  }
  // The env makes a new file the owner's alone. The name is drawn, so that nobody has made one before that others can read.
  const std::string fresh = path + ".new-" + std::to_string(world.random());
  const auto failed = [&](const error& why) {
    return setup_error("cannot write " + path + ": " +
                       (why == errc::not_found ? "there is no such folder" : why.text()));
  };
  auto made = world.open_file(fresh, file_use::create);
  if (!made) return failed(made.error());
  const secret_text pem = key.pem();
  result<void> done = (*made)->write(0, bytes_of(pem.view()));
  if (done) done = (*made)->sync();
  if (done) done = world.rename_file(fresh, path);
  if (done) return {};
  static_cast<void>(world.remove_file(fresh));
  return failed(done.error());
}

result<allow_list, setup_error> read_allow_list(const std::string& path) {
  const auto text = read_text(path, allow_list::most_bytes);
  if (!text) return text.error();
  if (const std::string mode = mode_with(fs::perms::group_write | fs::perms::others_write, path);
      !mode.empty()) {
    return setup_error("others than the owner of the allow-list " + path + " may write to it (" + mode +
                       "): look it over, then `chmod go-w " + path + "`");
  }
  return allow_list::parse(text->view(), path);
}

}  // namespace troupe::detail
