#include "process_load.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <random>
#include <thread>

#include <troupe/troupe.hpp>

namespace process_load {
namespace {

using namespace std::chrono_literals;

ledger& the_ledger() {
  static ledger* const at = [] {
    const int file = ::open(std::getenv(ledger_variable), O_RDWR);
    void* const memory = ::mmap(nullptr, sizeof(ledger), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory == MAP_FAILED) std::abort();
    ::close(file);
    return static_cast<ledger*>(memory);
  }();
  return *at;
}

/// One after the other in this life, and never one that an earlier life has had.
void note(ledger::sequence& s, bool& begun, std::uint64_t number) {
  const std::uint64_t last = s.last.load();
  if (number <= last) the_ledger().doubled.fetch_add(1);
  if (begun && number > last + 1) the_ledger().gaps.fetch_add(1);
  begun = true;
  s.last.store(number);
  s.count.fetch_add(1);
}

troupe::actor run_pourer(troupe::self<troupe::protocol<>> me, troupe::ref<drop> to) {
  std::minstd_rand chance(static_cast<unsigned>(::getpid()));
  for (std::uint64_t number = 1;; ++number) {
    const std::string text(chance() % 2000, static_cast<char>('a' + number % 26));
    std::uint64_t sum = checksum(text, number);
    troupe::bulk bytes;
    auto buffer = number % 8 == 0 ? me.loan(32 * 1024 + chance() % (256 * 1024)) : troupe::errc::no_memory;
    if (buffer) {
      std::ranges::fill(buffer->bytes(), static_cast<std::byte>(number));
      sum = checksum(buffer->bytes(), sum);
      bytes = std::move(*buffer).seal();
    }
    const auto sent = co_await to.send<drop>(::getpid(), number, sum, text, bytes);
    if (!sent) co_return;
    if (number % 32 == 0) co_await me.sleep(1ms);
  }
}

troupe::actor run_load(troupe::self<service> me) {
  ledger& book = the_ledger();
  bool items_begun = false;
  bool sheets_begun = false;
  co_await me.serve(
      [&](const item& i) {
        if (checksum(i.text, i.number) != i.sum) book.torn.fetch_add(1);
        note(book.items, items_begun, i.number);
      },
      [&](const sheet& s) {
        if (checksum(s.bytes.trusted_bytes(), s.number) != s.sum) book.torn.fetch_add(1);
        note(book.sheets, sheets_begun, s.number);
      },
      [](const question& q) {
        return answer{q.number, checksum(q.text, q.number), static_cast<std::int32_t>(::getpid())};
      },
      [&](const pour& p) { me.spawn(run_pourer, p.to); });
}

troupe::task<int> serve(troupe::node& node) {
  const auto child = node.spawn(run_load);
  const auto published = co_await node.publish(std::getenv(name_variable), child);
  if (!published) co_return 3;
  co_await troupe::sleep_operation(1h);
  co_return 0;
}

/// One life in eight ends as it begins: before it is linked, or while it is being linked.
void perhaps_end_soon() {
  std::random_device chance;
  if (chance() % 8 != 0) return;
  the_ledger().cut_short.fetch_add(1);
  std::thread([after = std::chrono::microseconds(chance() % 6000)] {
    std::this_thread::sleep_for(after);
    ::kill(::getpid(), SIGKILL);
  }).detach();
}

}  // namespace

int run(int, char** argv) {
  the_ledger().lives.fetch_add(1);
  perhaps_end_soon();
  return troupe::run(1, argv, serve);
}

}  // namespace process_load
