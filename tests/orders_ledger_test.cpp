// The order pipeline's files: reading, the ledger, generated inputs, and the reference against an oracle
// written in another language from the specification alone (orders_oracle.py).
#include "orders/ledger.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <numeric>

#include "catch.hpp"
#include "orders/generate.hpp"
#include "orders/reference.hpp"

using namespace orders;

namespace {

const std::string orders_header = "id,sku,quantity,unit_cents,customer,card\n";
const std::string row_end = ",1,250,ann,4242424242424242";

// A folder of its own for each test, gone afterwards.
class scratch {
 public:
  scratch() {
    std::string name = (std::filesystem::temp_directory_path() / "troupe-orders-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    folder_ = name;
  }
  ~scratch() { std::filesystem::remove_all(folder_); }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
    return path(name);
  }
  bool has(const std::string& name) const { return std::filesystem::exists(folder_ / name); }

 private:
  std::filesystem::path folder_;
};

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

template <class T>
T need(const file_result<T>& r) {
  if (!r) FAIL(r.error().text);
  return *r;
}

void need(const file_result<void>& r) {
  if (!r) FAIL(r.error().text);
}

ledger_writer need_writer(const std::string& path) {
  auto ledger = ledger_writer::create(path);
  if (!ledger) FAIL(ledger.error().text);
  return std::move(*ledger);
}

template <class T>
std::string error_of(const file_result<T>& r) {
  return r ? "no error" : r.error().text;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// One letter a line: w well-formed, m malformed.
std::string shape_of(const std::string& path) {
  auto reader = order_reader::open(path);
  if (!reader) FAIL(reader.error().text);
  std::string shape;
  for (;;) {
    const auto row = need(reader->next());
    if (!row) return shape;
    CHECK(row->line == shape.size() + 1);
    shape += row->content ? 'w' : 'm';
  }
}

std::string reference_ledger(const scratch& dir, const std::string& orders_bytes,
                             const std::string& stock_bytes) {
  const auto ledger = dir.path("ledger.csv");
  need(run_reference(dir.write("orders.csv", orders_bytes), dir.write("stock.csv", stock_bytes), ledger));
  return bytes_of(ledger);
}

bool python_is_missing() { return std::system("python3 -c '' >/dev/null 2>&1") != 0; }

std::string oracle_ledger(const scratch& dir) {
  const auto script = std::filesystem::path(TROUPE_TEST_DIR) / "orders_oracle.py";
  const std::string command = "python3 '" + script.string() + "' '" + dir.path("orders.csv") + "' '" +
                              dir.path("stock.csv") + "' > '" + dir.path("oracle.csv") + "'";
  REQUIRE(std::system(command.c_str()) == 0);
  return bytes_of(dir.path("oracle.csv"));
}

}  // namespace

TEST_CASE("lines end in LF, CRLF or the end of the file, and blank lines count") {
  const scratch dir;
  const auto rows = [&](const std::string& text) {
    return shape_of(dir.write("orders.csv", orders_header + text));
  };
  CHECK(rows("") == "");
  CHECK(rows("\n") == "m");
  CHECK(rows("\r\n\n") == "mm");
  CHECK(rows("1,s" + row_end) == "w");
  CHECK(rows("1,s" + row_end + "\n2,s" + row_end + "\r\n") == "ww");
  CHECK(rows("1,s" + row_end + "\r") == "w");
  CHECK(rows("1,s" + row_end + "\r\r\n") == "m");
  CHECK(rows("1,s" + row_end + "\n\n\n3,s" + row_end + "\n\n") == "wmmwm");
}

TEST_CASE("the header may end in CRLF or in nothing") {
  const scratch dir;
  const std::string header = orders_header.substr(0, orders_header.size() - 1);
  CHECK(shape_of(dir.write("a.csv", header)) == "");
  CHECK(shape_of(dir.write("b.csv", header + "\r\n1,s" + row_end)) == "w");
}

TEST_CASE("a line over the limit is malformed, wherever reading it is cut, and its neighbours are not") {
  const scratch dir;
  const std::string neighbour = "1,s" + row_end + "\n";
  const auto line_of = [](std::size_t size) {
    return "2," + std::string(size - 2 - row_end.size(), 's') + row_end;
  };
  for (const char* ending : {"\n", "\r\n"}) {
    const auto rows = [&](std::size_t size) {
      return shape_of(
          dir.write("orders.csv", orders_header + neighbour + line_of(size) + ending + neighbour));
    };
    CHECK(rows(max_line_bytes) == "www");
    for (const std::size_t over : {1u, 2u, 3u, 200'000u}) CHECK(rows(max_line_bytes + over) == "wmw");
  }
  // What is kept of this line would be well-formed if the CR at the cut were taken for a line ending.
  const auto path =
      dir.write("orders.csv", orders_header + line_of(max_line_bytes) + "\rtoo long\n" + neighbour);
  CHECK(shape_of(path) == "mw");
}

TEST_CASE("orders.csv that is missing, a folder, empty or headed otherwise gets one clear line") {
  const scratch dir;
  CHECK(error_of(order_reader::open(dir.path("none.csv"))) ==
        "cannot open " + dir.path("none.csv") + ": No such file or directory");
  CHECK(error_of(order_reader::open(dir.path(""))) == "cannot read " + dir.path("") + ": Is a directory");
  const auto empty = dir.write("empty.csv", "");
  CHECK(error_of(order_reader::open(empty)) ==
        empty + ":1: found an empty file, expected the header \"id,sku,quantity,unit_cents,customer,card\"");
  const auto other = dir.write("other.csv", "sku,\x1bquantity\n");
  CHECK(error_of(order_reader::open(other)) ==
        other +
            ":1: found \"sku,?quantity\", expected the header \"id,sku,quantity,unit_cents,customer,card\"");
}

TEST_CASE("stock.csv is read whole, with LF or CRLF") {
  const scratch dir;
  const auto items =
      need(read_stock(dir.write("stock.csv", "sku,quantity\r\nb,0\na b,18446744073709551615")));
  REQUIRE(items.size() == 2);
  CHECK(items[0].sku == "b");
  CHECK(items[0].quantity == 0);
  CHECK(items[1].sku == "a b");
  CHECK(items[1].quantity == 18446744073709551615u);
}

TEST_CASE("a bad line of stock.csv gets an error that names file, line and value") {
  const scratch dir;
  const auto error_for = [&](const std::string& text) {
    return error_of(read_stock(dir.write("stock.csv", "sku,quantity\na,1\n" + text)));
  };
  const std::string place = dir.path("stock.csv") + ":3: ";
  CHECK(error_for("b,-1\n") == place + "quantity \"-1\" is not an unsigned 64-bit decimal");
  CHECK(error_for("b,\n") == place + "quantity \"\" is not an unsigned 64-bit decimal");
  CHECK(error_for("b,1,2\n") == place + "\"b,1,2\" has not two fields, expected sku,quantity");
  CHECK(error_for("\n") == place + "\"\" has not two fields, expected sku,quantity");
  CHECK(error_for(",1\n") == place + "\",1\" has an empty sku");
  CHECK(error_for("a,2\n") == place + "sku \"a\" was already given in line 2; keep one of the two");
  CHECK(contains(error_for(std::string(100'000, 'x')), ":3: the line is over 64512 bytes"));
  CHECK(contains(error_of(read_stock(dir.write("stock.csv", "a,1\n"))),
                 ":1: found \"a,1\", expected the header"));
}

TEST_CASE("the ledger has the input's order whatever order its entries come in") {
  const scratch dir;
  auto ledger = need_writer(dir.path("ledger.csv"));
  need(ledger.add({3, 8, status::declined, 0}));
  need(ledger.add(malformed_entry(2)));
  CHECK(ledger.written() == 0);
  CHECK(ledger.held() == 2);
  need(ledger.add({1, 7, status::paid, 4294967295000}));
  CHECK(ledger.written() == 3);
  CHECK(ledger.held() == 0);
  CHECK_FALSE(dir.has("ledger.csv"));
  need(ledger.finish(3));
  CHECK(bytes_of(dir.path("ledger.csv")) ==
        "line,id,status,amount_cents\n1,7,paid,4294967295000\n2,,malformed,0\n3,8,declined,0\n");
  CHECK_FALSE(dir.has("ledger.csv.partial"));
  CHECK(ledger.counts() == tally{1, 0, 0, 0, 0, 0, 1, 1});
}

TEST_CASE("the ledger refuses an entry that came already or has no known status") {
  const scratch dir;
  auto ledger = need_writer(dir.path("l"));
  need(ledger.add(malformed_entry(1)));
  need(ledger.add(malformed_entry(3)));
  CHECK(error_of(ledger.add(malformed_entry(1))) ==
        "ledger " + dir.path("l") + ": the entry of line 1 came already");
  CHECK(error_of(ledger.add(malformed_entry(3))) ==
        "ledger " + dir.path("l") + ": the entry of line 3 came already");
  CHECK(error_of(ledger.add(malformed_entry(0))) ==
        "ledger " + dir.path("l") + ": the entry of line 0 came already");
  CHECK(error_of(ledger.add({2, 1, static_cast<status>(8), 0})) ==
        "ledger " + dir.path("l") + ": the entry of line 2 has an unknown status");
}

TEST_CASE("the ledger holds back a limited number of early entries") {
  const scratch dir;
  auto ledger = need_writer(dir.path("l"));
  for (std::uint64_t i = 0; i < ledger_writer::max_held; ++i) need(ledger.add(malformed_entry(i + 2)));
  CHECK(contains(error_of(ledger.add(malformed_entry(ledger_writer::max_held + 2))),
                 "is one too many to hold back while line 1 is missing"));
  need(ledger.add(malformed_entry(1)));
  need(ledger.finish(ledger_writer::max_held + 1));
}

TEST_CASE("an incomplete ledger does not finish, and has no name") {
  const scratch dir;
  {
    auto ledger = need_writer(dir.path("l"));
    need(ledger.add(malformed_entry(1)));
    need(ledger.add(malformed_entry(3)));
    CHECK(error_of(ledger.finish(3)) ==
          "ledger " + dir.path("l") + ": line 2 of 3 is missing; 1 later entries came");
    CHECK(contains(error_of(ledger.finish(1)), "line 2 of 1 is missing; 1 later entries came"));
  }
  CHECK(dir.has("l.partial"));
  CHECK_FALSE(dir.has("l"));
  CHECK(contains(error_of(ledger_writer::create(dir.path("none/l"))),
                 "cannot create " + dir.path("none/l.partial")));
}

TEST_CASE("a ledger goes on after the last whole line of one whose writer has died") {
  const scratch dir;
  const std::string header = "line,id,status,amount_cents\n";
  const std::string two = header + "1,7,paid,250\n2,,malformed,0\n";
  const auto lines_kept = [&](const std::string& found) {
    dir.write("l.partial", found);
    auto ledger = ledger_writer::resume(dir.path("l"));
    if (!ledger) FAIL(ledger.error().text);
    const std::uint64_t kept = ledger->written();
    for (std::uint64_t line = 1; line <= 3; ++line) {
      CHECK(ledger->has(line) == (line <= kept));
      if (line > kept) need(ledger->add(line == 1 ? entry{1, 7, status::paid, 250} : malformed_entry(line)));
    }
    need(ledger->finish(3));
    CHECK(bytes_of(dir.path("l")) == two + "3,,malformed,0\n");
    return kept;
  };
  CHECK(lines_kept(two) == 2);
  CHECK(lines_kept(two + "3,9,pa") == 2);
  CHECK(lines_kept(two + "3,,malformed,0") == 2);
  CHECK(lines_kept(two + "30,,malformed,0\n") == 2);
  CHECK(lines_kept(two + "3,,malformed,0\n") == 3);
  for (const std::string& nothing :
       {std::string(), header, header.substr(0, 9), std::string("a,b\n1,,malformed,0\n")})
    CHECK(lines_kept(nothing) == 0);

  auto none = ledger_writer::resume(dir.path("none"));
  REQUIRE(none);
  need(none->finish(0));
  CHECK(bytes_of(dir.path("none")) == header);
}

TEST_CASE("a full disk is an error of the ledger, not a short file") {
  const scratch dir;
  std::filesystem::create_symlink("/dev/full", dir.path("l.partial"));
  auto ledger = need_writer(dir.path("l"));
  CHECK(error_of(ledger.finish(0)) == "cannot write " + dir.path("l") + ": No space left on device");
  CHECK_FALSE(dir.has("l"));
}

TEST_CASE("the SHA-256 of known bytes is the published one") {
  const scratch dir;
  CHECK(need(sha256_file(dir.write("a", ""))) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(need(sha256_file(dir.write("b", "abc"))) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(need(sha256_file(dir.write("c", std::string(1'000'000, 'a')))) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  CHECK(contains(error_of(sha256_file(dir.path("none"))), "No such file or directory"));
}

TEST_CASE("the reference settles a small file as written out here") {
  const scratch dir;
  const std::string orders = orders_header +
                             "1,apple,2,250,ann,4242424242424242\r\n"   // paid
                             "\n"                                       // malformed
                             "1,apple,2,250,ann,4242424242424242\n"     // duplicate_id
                             "2,plum,2,250,ann,4242424242424242\n"      // unknown_sku
                             "3,apple,1001,250,ann,4242424242424242\n"  // bad_quantity
                             "4,apple,1,250,ann,4242424242424241\n"     // bad_card
                             "5,apple,3,250,ann,4000000000000002\n"     // declined, takes 3
                             "6,apple,6,250,ann,4242424242424242\n"     // out_of_stock: 5 left
                             "007,apple,5,250,ann,4242424242424242\n"   // paid
                             "7,apple,1,250,ann,4242424242424242";      // duplicate_id
  CHECK(reference_ledger(dir, orders, "sku,quantity\napple,10\n") ==
        "line,id,status,amount_cents\n"
        "1,1,paid,500\n2,,malformed,0\n3,1,duplicate_id,0\n4,2,unknown_sku,0\n5,3,bad_quantity,0\n"
        "6,4,bad_card,0\n7,5,declined,0\n8,6,out_of_stock,0\n9,7,paid,1250\n10,7,duplicate_id,0\n");
  if (!python_is_missing()) CHECK(oracle_ledger(dir) == bytes_of(dir.path("ledger.csv")));
}

TEST_CASE("the reference says which file is at fault and leaves no ledger") {
  const scratch dir;
  const auto stock = dir.write("stock.csv", "sku,quantity\n");
  const auto orders = dir.write("orders.csv", "nonsense\n");
  CHECK(contains(error_of(run_reference(orders, stock, dir.path("l"))), "orders.csv:1: found \"nonsense\""));
  CHECK(contains(error_of(run_reference(orders, dir.path("no"), dir.path("l"))),
                 "cannot open " + dir.path("no")));
  CHECK_FALSE(dir.has("l"));
}

TEST_CASE("a generated input depends on count and seed alone") {
  const scratch dir;
  const auto hashes = [&](std::uint64_t lines, std::uint64_t seed) {
    need(generate(lines, seed, dir.path("o"), dir.path("s")));
    return need(sha256_file(dir.path("o"))) + need(sha256_file(dir.path("s")));
  };
  const auto first = hashes(2000, 1);
  CHECK(hashes(2000, 1) == first);
  CHECK(hashes(2000, 2) != first);
  CHECK(hashes(2001, 1) != first);
}

TEST_CASE("a generated input has as many lines as asked for, and every status from 100 lines on") {
  const scratch dir;
  const auto check = [&](std::uint64_t lines, std::uint64_t seed) {
    INFO(lines << " lines, seed " << seed);
    need(generate(lines, seed, dir.path("o"), dir.path("s")));
    const auto counts = need(run_reference(dir.path("o"), dir.path("s"), dir.path("l")));
    CHECK(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}) == lines);
    if (lines >= 100) CHECK(std::find(counts.begin(), counts.end(), 0u) == counts.end());
    if (lines >= 1000) CHECK(counts[static_cast<std::size_t>(status::paid)] * 100 > lines * 70);
  };
  for (std::uint64_t lines = 0; lines < 300; ++lines) check(lines, 1);  // whatever line comes last
  for (std::uint64_t seed = 0; seed < 300; ++seed) check(100, seed);    // whatever card comes first
  for (std::uint64_t seed = 0; seed < 8; ++seed) check(5000, seed);
}

TEST_CASE("a generated input that ends in a blank line still has all its lines") {
  const scratch dir;
  const auto generated = [&](std::uint64_t lines, std::uint64_t seed) {
    need(generate(lines, seed, dir.path("o"), dir.path("s")));
    return shape_of(dir.path("o"));
  };
  std::uint64_t tried = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto whole = generated(500, seed);
    const auto bytes = bytes_of(dir.path("o"));
    const auto blank = std::min(bytes.find("\n\n"), bytes.find("\n\r\n"));
    if (blank == std::string::npos) continue;
    // The header's LF stands for the blank line itself, so this counts the lines up to and with it.
    const auto end = bytes.begin() + static_cast<std::ptrdiff_t>(blank) + 1;
    const auto lines = static_cast<std::uint64_t>(std::count(bytes.begin(), end, '\n'));
    CHECK(generated(lines, seed) == whole.substr(0, lines));
    ++tried;
  }
  CHECK(tried > 10);
}

TEST_CASE("more lines than the limit are not generated") {
  const scratch dir;
  CHECK(error_of(generate(max_generated_lines + 1, 1, dir.path("o"), dir.path("s"))) ==
        "cannot generate 1000000001 orders: the most is 1000000000");
  CHECK_FALSE(dir.has("o"));
}

TEST_CASE("in a generated input the order of the lines decides who gets the stock") {
  const scratch dir;
  need(generate(2000, 5, dir.path("o"), dir.path("s")));
  std::vector<order> feed;
  auto rows = order_reader::open(dir.path("o"));
  REQUIRE(rows.has_value());
  while (auto row = need(rows->next())) {
    if (row->content && row->content->sku == "HOT-00000" && luhn_valid(row->content->card))
      feed.push_back(*row->content);
  }
  const auto refused = [&] {
    stock_shard shard;
    for (stock_item& item : need(read_stock(dir.path("s")))) shard.add(std::move(item));
    std::vector<std::uint64_t> ids;
    for (const order& o : feed) {
      if (shard.decide(o)) ids.push_back(o.id);
    }
    std::sort(ids.begin(), ids.end());
    return ids;
  };
  const auto forwards = refused();
  std::reverse(feed.begin(), feed.end());
  CHECK_FALSE(forwards.empty());
  CHECK(refused() != forwards);
}

TEST_CASE("the reference agrees with an independent oracle on generated inputs") {
  if (python_is_missing()) {
    SUCCEED("python3 is missing: the oracle cannot run");
    return;
  }
  const scratch dir;
  for (const auto& [lines, seed] : {std::pair{100u, 1u}, {3000u, 2u}, {20000u, 3u}}) {
    INFO(lines << " lines, seed " << seed);
    need(generate(lines, seed, dir.path("orders.csv"), dir.path("stock.csv")));
    need(run_reference(dir.path("orders.csv"), dir.path("stock.csv"), dir.path("ledger.csv")));
    CHECK(oracle_ledger(dir) == bytes_of(dir.path("ledger.csv")));
  }
}

TEST_CASE("the reference agrees with an independent oracle on lines damaged at random") {
  if (python_is_missing()) {
    SUCCEED("python3 is missing: the oracle cannot run");
    return;
  }
  const scratch dir;
  need(generate(3000, 9, dir.path("orders.csv"), dir.path("stock.csv")));
  std::string bytes = bytes_of(dir.path("orders.csv"));
  constexpr std::string_view replacements{",0\n\r-+ 9a\x80\0", 12};
  std::uint64_t state = 12345;
  for (std::size_t at = orders_header.size(); at < bytes.size(); at += 1 + (state >> 33) % 150) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    bytes[at] = replacements[(state >> 40) % replacements.size()];
  }
  dir.write("orders.csv", bytes);
  need(run_reference(dir.path("orders.csv"), dir.path("stock.csv"), dir.path("ledger.csv")));
  CHECK(oracle_ledger(dir) == bytes_of(dir.path("ledger.csv")));
}
