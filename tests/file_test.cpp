// Files through an env: what holds of the real disk and of a simulated one, and what power and errors of the latter do.
#include "catch.hpp"

#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/env.hpp>
#include <troupe/sim_faults.hpp>

#include "sim/universe.hpp"

using troupe::env;
using troupe::errc;
using troupe::file;
using troupe::file_use;
using troupe::detail::chance;
using troupe::detail::sim_process;
using troupe::detail::universe;
using troupe::sim::fault;
using troupe::sim::fault_set;

namespace {

using file_ptr = std::unique_ptr<file>;

struct real_disk {
  real_disk() { REQUIRE(::mkdtemp(folder) != nullptr); }
  ~real_disk() { std::filesystem::remove_all(folder); }
  env& world = troupe::os_env();
  std::string path(const std::string& name) const { return std::string(folder) + "/" + name; }
  char folder[32] = "/tmp/troupe-file-XXXXXX";
};

struct simulated_disk {
  explicit simulated_disk(fault_set faults = fault_set::none(), std::uint64_t seed = 1)
      : all(seed, faults, std::chrono::hours(1)) {}
  ~simulated_disk() { all.end_process(*process); }
  universe all;
  sim_process* process = &all.start_process("host", true);
  env& world = *process;
  static std::string path(const std::string& name) { return name; }

  void lose_power(chance& by) { all.disk_of("host").lose_power(by); }
  env& restart() {
    all.end_process(*process);
    process = &all.start_process("host", true);
    return *process;
  }
};

/// Whose writes, resizes and syncs fail now and then.
simulated_disk failing_disk() {
  const fault_set errors = fault_set::none().with(fault::disk_error);
  std::uint64_t seed = 1;
  while (!universe(seed, errors, std::chrono::hours(1)).uses(fault::disk_error)) ++seed;
  return simulated_disk(errors, seed);
}

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto all = std::as_bytes(std::span(text));
  return {all.begin(), all.end()};
}

file_ptr open(env& world, const std::string& path, file_use how = file_use::create) {
  auto opened = world.open_file(path, how);
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

void write(file& f, std::uint64_t at, std::string_view text) {
  REQUIRE(f.write(at, bytes_of(text)).has_value());
}

std::string read(file& f, std::uint64_t at = 0, std::size_t most = 1 << 20) {
  std::string text(most, '?');
  const auto got = f.read(at, std::as_writable_bytes(std::span(text)));
  REQUIRE(got.has_value());
  text.resize(*got);
  return text;
}

/// Writes that to its beginning, durably, whatever goes wrong meanwhile.
void store(file& f, std::string_view text) {
  while (!f.write(0, bytes_of(text)) || !f.sync()) continue;
}

}  // namespace

TEMPLATE_TEST_CASE("a file gives back what was written", "[file]", real_disk, simulated_disk) {
  TestType disk;
  const auto f = open(disk.world, disk.path("a"));
  CHECK(f->size().value() == 0);
  CHECK(read(*f).empty());
  write(*f, 0, "one two three");
  write(*f, 4, "TWO");
  CHECK(read(*f) == "one TWO three");
  CHECK(read(*f, 4, 3) == "TWO");
  CHECK(read(*f, 8, 100) == "three");  // fewer only at the end
  CHECK(read(*f, 13).empty());
  CHECK(read(*f, 1000).empty());
  CHECK(f->sync().has_value());
  CHECK(read(*open(disk.world, disk.path("a"), file_use::existing)) == "one TWO three");
  CHECK(read(*open(disk.world, disk.path("a"))) == "one TWO three");  // what exists is not made anew
}

TEMPLATE_TEST_CASE("a file's bytes that were never written are zero", "[file]", real_disk, simulated_disk) {
  TestType disk;
  const auto f = open(disk.world, disk.path("a"));
  write(*f, 2000, "end");
  CHECK(f->size().value() == 2003);
  CHECK(read(*f) == std::string(2000, '\0') + "end");
  write(*f, 2000, "");
  write(*f, 5000, "");
  CHECK(f->size().value() == 2003);  // nothing was written there
}

TEMPLATE_TEST_CASE("a file is cut off and grows", "[file]", real_disk, simulated_disk) {
  TestType disk;
  const auto f = open(disk.world, disk.path("a"));
  write(*f, 0, "whole");
  REQUIRE(f->resize(3).has_value());
  CHECK(read(*f) == "who");
  REQUIRE(f->resize(5).has_value());
  CHECK(read(*f) == std::string("who\0\0", 5));
  REQUIRE(f->resize(0).has_value());
  CHECK(f->size().value() == 0);
}

TEMPLATE_TEST_CASE("a file that is missing is not found", "[file]", real_disk, simulated_disk) {
  TestType disk;
  CHECK(disk.world.open_file(disk.path("a"), file_use::existing).error() == errc::not_found);
  CHECK(disk.world.open_file(disk.path("none/a"), file_use::create).error() == errc::not_found);
  CHECK(disk.world.rename_file(disk.path("a"), disk.path("b")).error() == errc::not_found);
  CHECK(disk.world.remove_file(disk.path("a")).error() == errc::not_found);
  open(disk.world, disk.path("a"));
  CHECK(disk.world.rename_file(disk.path("a"), disk.path("none/a")).error() == errc::not_found);
  CHECK(disk.world.open_file(disk.path("a"), file_use::existing).has_value());
}

TEMPLATE_TEST_CASE("a file takes another one's name", "[file]", real_disk, simulated_disk) {
  TestType disk;
  const auto old = open(disk.world, disk.path("a"));
  write(*old, 0, "old");
  const auto next = open(disk.world, disk.path("a.next"));
  write(*next, 0, "next");
  REQUIRE(disk.world.rename_file(disk.path("a.next"), disk.path("a")).has_value());
  CHECK(disk.world.open_file(disk.path("a.next"), file_use::existing).error() == errc::not_found);
  CHECK(read(*open(disk.world, disk.path("a"))) == "next");
  CHECK(read(*old) == "old");  // as long as it is open
  write(*next, 4, "!");
  CHECK(read(*open(disk.world, disk.path("a"))) == "next!");
  REQUIRE(disk.world.rename_file(disk.path("a"), disk.path("a")).has_value());
  CHECK(read(*open(disk.world, disk.path("a"), file_use::existing)) == "next!");
}

TEMPLATE_TEST_CASE("a file that was removed is there for whom it is open", "[file]", real_disk,
                   simulated_disk) {
  TestType disk;
  const auto f = open(disk.world, disk.path("a"));
  write(*f, 0, "text");
  REQUIRE(disk.world.remove_file(disk.path("a")).has_value());
  CHECK(disk.world.open_file(disk.path("a"), file_use::existing).error() == errc::not_found);
  CHECK(read(*f) == "text");
  CHECK(read(*open(disk.world, disk.path("a"))).empty());
}

TEMPLATE_TEST_CASE("a file has no place for what is beyond its largest size", "[file]", real_disk,
                   simulated_disk) {
  TestType disk;
  const auto f = open(disk.world, disk.path("a"));
  write(*f, 0, "text");
  for (const std::uint64_t at : {std::uint64_t{1} << 63, ~std::uint64_t{0}}) {
    CHECK(f->write(at, bytes_of("x")).error() == errc::io_failed);
    CHECK(f->resize(at).error() == errc::io_failed);
  }
  CHECK(read(*f) == "text");
}

TEST_CASE("a file of a killed process keeps what was not synced, and takes no more", "[file]") {
  simulated_disk disk;
  {
    const auto f = open(disk.world, "a");
    write(*f, 0, "text");
    disk.process->kill();
    for (const troupe::error e :
         {f->write(0, bytes_of("dead")).error(), f->resize(0).error(), f->sync().error(), f->size().error(),
          f->read(0, {}).error(), disk.world.open_file("a", file_use::existing).error(),
          disk.world.rename_file("a", "b").error(), disk.world.remove_file("a").error()}) {
      CHECK(e == errc::io_failed);
    }
  }
  CHECK(read(*open(disk.restart(), "a", file_use::existing)) == "text");
}

TEST_CASE("a file keeps through a loss of power what was synced, and of the rest each sector or not",
          "[file]") {
  simulated_disk disk;
  chance by(7);
  const std::string before(2048, 'b');
  const std::string after(2048, 'a');
  std::set<std::string> seen;
  bool shorter = false;
  for (int i = 0; i < 200; ++i) {
    auto f = open(disk.world, "f");
    REQUIRE(f->resize(0).has_value());
    write(*f, 0, before);
    REQUIRE(f->sync().has_value());
    write(*f, 512, after);  // of the sectors 0 to 4, 1 to 3 are written over, and 4 is new
    disk.lose_power(by);
    const std::string left = read(*f);
    REQUIRE(left.size() >= 2048);
    REQUIRE(left.size() <= 2560);
    shorter = shorter || left.size() < 2560;
    CHECK(left.substr(0, 512) == before.substr(0, 512));
    std::string kept;
    for (std::size_t at = 512; at < 2048; at += 512) {
      const std::string sector = left.substr(at, 512);
      REQUIRE((sector == std::string(512, 'a') || sector == std::string(512, 'b')));
      kept += sector[0];
    }
    const std::string end = left.substr(2048);
    CHECK((end == std::string(end.size(), 'a') || end == std::string(end.size(), '\0')));
    seen.insert(kept);
    disk.lose_power(by);
    CHECK(read(*f) == left);  // there is nothing left to lose
  }
  CHECK(seen.size() == 8);
  CHECK(shorter);
}

TEST_CASE("a file's end that was cut off comes back with a loss of power, or not", "[file]") {
  simulated_disk disk;
  chance by(7);
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const auto f = open(disk.world, "f");
    write(*f, 0, std::string(2000, 'x'));
    REQUIRE(f->sync().has_value());
    REQUIRE(f->resize(512).has_value());
    disk.lose_power(by);
    const std::string left = read(*f);
    CHECK(left.substr(0, 512) == std::string(512, 'x'));
    seen.insert(left.size() == 512 ? "short" : left == std::string(2000, 'x') ? "whole" : "mixed");
  }
  CHECK(seen.size() == 3);
}

TEST_CASE("a file that was cut off between a sync that failed and one that did not loses power", "[file]") {
  simulated_disk disk = failing_disk();
  chance by(7);
  const auto f = open(disk.world, "f");
  for (int failures = 0; failures < 20;) {
    store(*f, std::string(100'000, 's'));
    if (!f->resize(512)) continue;
    failures += f->sync() ? 0 : 1;
    while (!f->sync()) continue;
    disk.lose_power(by);
    CHECK(read(*f).substr(0, 512) == std::string(512, 's'));
  }
}

TEST_CASE("a name that the disk could not change is changed or not", "[file]") {
  simulated_disk disk = failing_disk();
  std::set<bool> seen;
  for (int failures = 0; failures < 50;) {
    store(*open(disk.world, "from"), "new");
    store(*open(disk.world, "to"), "old");
    const auto done = disk.world.rename_file("from", "to");
    const std::string left = read(*open(disk.world, "to"));
    CHECK((left == "new" || (!done && left == "old")));
    if (done) continue;
    ++failures;
    seen.insert(left == "new");
  }
  CHECK(seen.size() == 2);
}

TEST_CASE("a file that could not be written has a part of it, and what was synced", "[file]") {
  simulated_disk disk = failing_disk();
  chance by(7);
  const auto f = open(disk.world, "f");
  std::set<int> numbers;
  bool in_part = false;
  for (int failures = 0; failures < 50;) {
    store(*f, std::string(1024, 's'));
    while (!f->resize(1024)) continue;
    const auto done = f->write(1024, bytes_of(std::string(1024, 'r')));
    if (!done) {
      ++failures;
      CHECK(done.error() == errc::io_failed);
      numbers.insert(done.error().detail);
      const std::string rest = read(*f).substr(1024);
      CHECK(rest == std::string(rest.size(), 'r'));
      in_part = in_part || (!rest.empty() && rest.size() < 1024);
    }
    disk.lose_power(by);
    CHECK(read(*f).substr(0, 1024) == std::string(1024, 's'));
  }
  CHECK(in_part);
  CHECK(numbers == std::set<int>{EIO, ENOSPC});
  CHECK(disk.all.injected()[static_cast<std::size_t>(fault::disk_error)] >= 50);
}

TEST_CASE("a file that could not be synced is not saved by a later sync, but by being written again",
          "[file]") {
  simulated_disk disk = failing_disk();
  chance by(7);
  const auto f = open(disk.world, "f");
  const std::string fresh(1024, 'f');
  bool lost = false;
  for (int failures = 0; failures < 50;) {
    store(*f, std::string(1024, 's'));
    if (!f->write(0, bytes_of(fresh)) || f->sync()) continue;
    ++failures;
    const bool again = failures % 2 == 0;
    if (again) store(*f, fresh);
    while (!f->sync()) {
      if (again) store(*f, fresh);
    }
    CHECK(read(*f) == fresh);  // for as long as there is power
    disk.lose_power(by);
    const std::string left = read(*f);
    if (again) CHECK(left == fresh);
    lost = lost || left != fresh;
  }
  CHECK(lost);
}
