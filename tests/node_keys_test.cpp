// Keys of nodes, their files, allow-lists, and the command that makes them.
#include "catch.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "allow_list.hpp"
#include "key_files.hpp"
#include "node_key.hpp"
#include "openssl_handles.hpp"

using namespace troupe::detail;
namespace fs = std::filesystem;

namespace {

constexpr std::string_view hex = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const std::string good = std::string(public_key::prefix) + std::string(hex);

/// Another key for each number.
std::string key_text(unsigned number) {
  public_key key;
  for (std::size_t i = 0; i < 4; ++i) key.bytes[i] = static_cast<std::byte>(number >> 8 * i);
  return key.text();
}
public_key key_of(std::string_view text) { return *public_key::parse(text); }

struct folder {
  folder() { REQUIRE(::mkdtemp(name) != nullptr); }
  ~folder() { fs::remove_all(name); }
  std::string path(const std::string& of) const { return std::string(name) + "/" + of; }
  std::string file(const std::string& of, std::string_view text, unsigned mode = 0600) const {
    std::ofstream(path(of), std::ios::binary) << text;
    fs::permissions(path(of), static_cast<fs::perms>(mode));
    return path(of);
  }
  std::set<std::string> files() const {
    std::set<std::string> all;
    for (const auto& entry : fs::directory_iterator(name)) all.insert(entry.path().filename());
    return all;
  }
  char name[32] = "/tmp/troupe-keys-XXXXXX";
};

std::string pem_of(EVP_PKEY* key, const char* passphrase = nullptr) {
  const bio_ptr out(BIO_new(BIO_s_mem()));
  const EVP_CIPHER* const cipher = passphrase != nullptr ? EVP_aes_128_cbc() : nullptr;
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(
              out.get(), key, cipher, passphrase,
              passphrase != nullptr ? static_cast<int>(std::string_view(passphrase).size()) : 0, nullptr,
              nullptr) == 1);
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

unsigned mode_of(const std::string& path) { return static_cast<unsigned>(fs::status(path).permissions()); }

/// The error of what should have failed.
template <class T>
std::string why(const troupe::result<T, troupe::setup_error>& r) {
  return r ? "no error" : r.error().text;
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

}  // namespace

TEST_CASE("a public key reads back from its text, and each has one spelling") {
  const auto key = public_key::parse(good);
  REQUIRE(key.has_value());
  CHECK(key->text() == good);
  CHECK(key->bytes[0] == std::byte{0x01});
  CHECK(key->bytes[31] == std::byte{0xef});
  std::string upper = good;
  upper.back() = 'F';
  CHECK(public_key::parse(upper).error() == "the digits of a key are 0-9 and a-f, character 64 is none");
  CHECK(public_key::parse(good + "0").error() == "a key has 64 hexadecimal digits, not 65 characters");
  CHECK(public_key::parse(good.substr(0, 20)).error() == "a key has 64 hexadecimal digits, not 5 characters");
  CHECK(public_key::parse(hex).error() == "a key begins with troupe-ed25519:");
  CHECK(public_key::parse("").error() == "a key begins with troupe-ed25519:");
}

TEST_CASE("a key reads back from its PEM, and no two are the same") {
  const node_key one = node_key::make().value();
  const node_key two = node_key::make().value();
  CHECK(one.public_half() != two.public_half());
  const secret_text pem = one.pem();
  CHECK(pem.view().starts_with("-----BEGIN PRIVATE KEY-----\n"));
  const auto back = node_key::parse(pem.view());
  REQUIRE(back.has_value());
  CHECK(back->public_half() == one.public_half());
}

TEST_CASE("what is no Ed25519 key in PEM is refused, and says what it is instead") {
  const auto text_of = [](EVP_PKEY* key, const char* passphrase = nullptr) {
    const std::unique_ptr<EVP_PKEY, freed_by<EVP_PKEY_free>> owned(key);
    return pem_of(owned.get(), passphrase);
  };
  const auto said = [](std::string_view pem) {
    const auto key = node_key::parse(pem);
    return key ? "no error" : key.error();
  };
  const std::string ours(node_key::make().value().pem().view());
  CHECK(said(ours) == "no error");
  CHECK(said("") == "it holds no private key in PEM (PKCS#8)");
  CHECK(said("secret") == "it holds no private key in PEM (PKCS#8)");
  CHECK(said(ours.substr(0, 60)) == "it holds no private key in PEM (PKCS#8)");
  CHECK(said(text_of(EVP_EC_gen("P-256"))) == "its key is of another kind than Ed25519");
  CHECK(said(text_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"))) ==
        "its key is of another kind than Ed25519");
  CHECK(said(text_of(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), "pass")) ==
        "its key is encrypted, and a node has nobody to ask for a passphrase");
  CHECK(said(std::string(20'000, 'x')) == "it is over 16 KiB, so it is no key");
}

TEST_CASE("a key file reads back, is its owner's alone, and never takes the place of another") {
  const folder in;
  const node_key key = node_key::make().value();
  const mode_t before = ::umask(0);
  const auto written = write_key_file(troupe::os_env(), in.path("node.key"), key);
  ::umask(before);
  REQUIRE(written.has_value());
  CHECK(mode_of(in.path("node.key")) == 0600);
  CHECK(in.files() == std::set<std::string>{"node.key"});
  const auto back = read_key_file(in.path("node.key"));
  REQUIRE(back.has_value());
  CHECK(back->public_half() == key.public_half());

  const node_key other = node_key::make().value();
  CHECK(why(write_key_file(troupe::os_env(), in.path("node.key"), other))
            .starts_with(in.path("node.key") + " exists already"));
  CHECK(read_key_file(in.path("node.key"))->public_half() == key.public_half());
  fs::create_symlink(in.path("nowhere"), in.path("link"));
  CHECK(has(why(write_key_file(troupe::os_env(), in.path("link"), other)), "exists already"));
  CHECK(why(write_key_file(troupe::os_env(), in.path("none/node.key"), other)) ==
        "cannot write " + in.path("none/node.key") + ": there is no such folder");
  CHECK(in.files() == std::set<std::string>{"link", "node.key"});
}

TEST_CASE("a key file that others than its owner may open is refused, with the fix") {
  const folder in;
  const std::string path = in.file("node.key", node_key::make().value().pem().view());
  for (const unsigned mode : {0400u, 0600u, 0700u}) {
    fs::permissions(path, static_cast<fs::perms>(mode));
    CHECK(read_key_file(path).has_value());
  }
  for (const unsigned mode : {0640u, 0604u, 0620u, 0602u, 0610u, 0601u, 0777u}) {
    fs::permissions(path, static_cast<fs::perms>(mode));
    const std::string said = why(read_key_file(path));
    CHECK(has(said, path + " is open to others than its owner (mode 0"));
    CHECK(has(said, "`chmod 600 " + path + "`"));
  }
}

TEST_CASE("a key file that is none is refused, and nothing of it is shown") {
  const folder in;
  CHECK(why(read_key_file(in.path("none"))) == "cannot read " + in.path("none") + ": there is no such file");
  CHECK(has(why(read_key_file(in.name)), "it is no regular file"));
  REQUIRE(::mkfifo(in.path("fifo").c_str(), 0600) == 0);
  CHECK(has(why(read_key_file(in.path("fifo"))), "it is no regular file"));
  const std::string said = why(read_key_file(in.file("text", "the secret of life")));
  CHECK(has(said, in.path("text") + " is of no use: it holds no private key"));
  CHECK(has(said, "`troupe-keys new` makes one"));
  CHECK_FALSE(has(said, "secret of"));
  CHECK(has(why(read_key_file(in.file("large", std::string(1 << 20, 'x')))), "over 16 KiB"));
  CHECK(has(why(read_key_file(in.file("empty", ""))), "it holds no private key"));
}

TEST_CASE("an allow-list allows each name its keys, and nobody else's") {
  const std::string text = "# the nodes of the shop\n\nback " + key_text(1) + "\n  back\t" + key_text(2) +
                           "  \r\n#off " + key_text(9) + "\n" + std::string(64, 'n') + " " + key_text(3);
  const auto list = allow_list::parse(text, "peers");
  REQUIRE(list.has_value());
  CHECK(list->size() == 3);
  CHECK(list->allows("back", key_of(key_text(1))));
  CHECK(list->allows("back", key_of(key_text(2))));
  CHECK(list->allows(std::string(64, 'n'), key_of(key_text(3))));
  CHECK_FALSE(list->allows("back", key_of(key_text(3))));
  CHECK_FALSE(list->allows("bac", key_of(key_text(1))));
  CHECK_FALSE(list->allows("back2", key_of(key_text(1))));
  CHECK_FALSE(list->allows(std::string("back\0", 5), key_of(key_text(1))));
  CHECK_FALSE(list->allows("", key_of(key_text(1))));
  CHECK_FALSE(list->allows(std::string(65, 'n'), key_of(key_text(3))));
  CHECK_FALSE(list->allows("off", key_of(key_text(9))));
  CHECK(list->knows(key_of(key_text(3))));
  CHECK_FALSE(list->knows(key_of(key_text(9))));
  CHECK_FALSE(allow_list().knows(public_key()));
}

TEST_CASE("an allow-list that is wrong names the file, the line and what is wrong") {
  struct wrong {
    std::string text;
    std::string said;
  };
  const std::string shown = "troupe-ed25519:0123456789abcdef";
  const std::vector<wrong> all = {
      {"back",
       "peers:1: no key follows the name \"back\"; a line is NAME KEY, as `troupe-keys show` prints it"},
      {"# one\n\nback  \n",
       "peers:3: no key follows the name \"back\"; a line is NAME KEY, as `troupe-keys show` prints it"},
      {good + " back", "peers:1: \"" + good + "\" is no node name: 1 to 64 characters of A-Z a-z 0-9 . _ -"},
      {"b@ck " + good, "peers:1: \"b@ck\" is no node name: 1 to 64 characters of A-Z a-z 0-9 . _ -"},
      {std::string(65, 'n') + " " + good,
       "peers:1: \"" + std::string(65, 'n') + "\" is no node name: 1 to 64 characters of A-Z a-z 0-9 . _ -"},
      {"\nback " + shown,
       "peers:2: \"" + shown + "\" is no key: a key has 64 hexadecimal digits, not 16 characters"},
      {"back ssh-ed25519", "peers:1: \"ssh-ed25519\" is no key: a key begins with troupe-ed25519:"},
      {"back " + good + " # mine",
       "peers:1: \"#\" follows the key; a line is NAME KEY, a comment has a line of its own"},
      {"a " + good + "\n\nb " + good, "peers:3: this key is on line 1 already; strike one of the two out"},
      {"a " + good + "\na " + good, "peers:2: this key is on line 1 already; strike one of the two out"},
      {"back \x1b[2J", "peers:1: \"?[2J\" is no key: a key begins with troupe-ed25519:"},
      {std::string("back\0 ", 6) + good,
       "peers:1: \"back?\" is no node name: 1 to 64 characters of A-Z a-z 0-9 . _ -"},
      {"back " + std::string(1000, 'x'),
       "peers:1: \"" + std::string(80, 'x') + "...\" is no key: a key begins with troupe-ed25519:"},
      {std::string(allow_list::most_bytes + 1, '\n'),
       "peers: an allow-list has at most 256 KiB, this is 256 KiB; is it the right file?"},
  };
  for (const wrong& w : all) CHECK(why(allow_list::parse(w.text, "peers")) == w.said);
}

TEST_CASE("an allow-list has a limit of peers, and up to it all are found") {
  std::string text;
  for (unsigned i = 0; i < allow_list::most_peers; ++i)
    text += "n" + std::to_string(i) + " " + key_text(i) + "\n";
  const auto full = allow_list::parse(text, "peers");
  REQUIRE(full.has_value());
  CHECK(full->allows("n0", key_of(key_text(0))));
  CHECK(full->allows("n1023", key_of(key_text(1023))));
  CHECK(why(allow_list::parse(text + "more " + good, "peers")) ==
        "peers:1025: an allow-list has at most 1024 peers; strike out who is gone");
}

TEST_CASE("an allow-list is read from a file that only its owner may write to") {
  const folder in;
  const std::string path = in.file("peers", allow_list_line("back", key_of(good)) + "\n", 0644);
  const auto list = read_allow_list(path);
  REQUIRE(list.has_value());
  CHECK(list->allows("back", key_of(good)));
  fs::permissions(path, static_cast<fs::perms>(0664));
  CHECK(why(read_allow_list(path)) == "others than the owner of the allow-list " + path +
                                          " may write to it (mode 0664): look it over, then `chmod go-w " +
                                          path + "`");
  CHECK(why(read_allow_list(in.file("bad", "back"))).starts_with(in.path("bad") + ":1: no key follows"));
  CHECK(has(why(read_allow_list(in.file("large", std::string(300 << 10, '#')))), "at most 256 KiB"));
  CHECK(has(why(read_allow_list(in.path("none"))), "there is no such file"));
}

TEST_CASE("troupe-keys makes a key, prints its line again, and says in one line what it refuses") {
  const folder in;
  struct outcome {
    int status = -1;
    std::string out;
  };
  const auto run = [](const std::string& arguments) {
    outcome o;
    std::FILE* const from = ::popen((TROUPE_KEYS " " + arguments + " 2>&1").c_str(), "re");
    REQUIRE(from != nullptr);
    for (int c = std::fgetc(from); c != EOF; c = std::fgetc(from)) o.out += static_cast<char>(c);
    const int status = ::pclose(from);
    o.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return o;
  };
  const std::string path = in.path("back.key");
  const outcome made = run("new back " + path);
  CHECK(made.status == 0);
  CHECK(mode_of(path) == 0600);
  const auto list = allow_list::parse(made.out, "its output");
  REQUIRE(list.has_value());
  CHECK(list->allows("back", read_key_file(path)->public_half()));
  CHECK(run("show back " + path).out == made.out);

  const auto refused = [&](const std::string& arguments, const std::string& part) {
    const outcome o = run(arguments);
    INFO(o.out);
    CHECK(o.status == 2);
    CHECK(o.out.starts_with("troupe-keys: "));
    CHECK(has(o.out, part));
    CHECK(o.out.find('\n') == o.out.size() - 1);
  };
  refused("new back " + path, path + " exists already");
  refused("new 'b ck' " + in.path("other"), "\"b ck\" is no node name");
  refused("show back " + in.path("none"), "there is no such file");
  refused("show back", "FILE is required");
  refused("list", "--help");
  refused("", "--help");
  CHECK(in.files() == std::set<std::string>{"back.key"});
  CHECK(run("--help").status == 0);
}
