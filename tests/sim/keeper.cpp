#include "keeper.hpp"

#include <cstring>
#include <utility>

#include <troupe/detail/checked.hpp>
#include <troupe/env.hpp>

#include "node_core.hpp"
#include "sim/chance.hpp"

namespace seeds {
namespace {

using troupe::errc;
using troupe::detail::chance;
using troupe::detail::mutant;

using bytes = std::vector<std::byte>;

struct header {
  std::uint64_t chain;  // over the record before, and what follows
  std::uint64_t number;
  std::uint64_t size;  // of the body behind it
};

std::uint64_t chained(std::uint64_t before, std::uint64_t number, std::span<const std::byte> body) {
  std::uint64_t h = (before ^ number) * 0x9E37'79B9'7F4A'7C15u + body.size();
  for (const std::byte b : body) h = (h ^ static_cast<std::uint64_t>(b)) * 0x0000'0100'0000'01B3u;
  return h ^ h >> 32;
}

/// A journal, as far as it is whole; the checksum of record n is chain[n].
struct journal {
  std::vector<std::uint64_t> chain{0};
  bytes all;

  std::uint64_t records() const { return chain.size() - 1; }

  void add(std::span<const std::byte> body) {
    const std::uint64_t number = chain.size();
    const header h{chained(chain.back(), number, body), number, body.size()};
    const auto front = std::as_bytes(std::span(&h, 1));
    all.insert(all.end(), front.begin(), front.end());
    all.insert(all.end(), body.begin(), body.end());
    chain.push_back(h.chain);
  }

  /// What is behind the first record that is not whole was never promised.
  static journal parse(const bytes& read) {
    journal j;
    std::span<const std::byte> rest = read;
    std::size_t whole = 0;
    header h{};
    while (rest.size() >= sizeof h) {
      std::memcpy(&h, rest.data(), sizeof h);
      rest = rest.subspan(sizeof h);
      if (h.number != j.chain.size() || h.size > rest.size()) break;
      const auto body = rest.first(static_cast<std::size_t>(h.size));
      if (h.chain != chained(j.chain.back(), h.number, body)) break;
      j.chain.push_back(h.chain);
      rest = rest.subspan(body.size());
      whole = read.size() - rest.size();
    }
    j.all.assign(read.begin(), read.begin() + static_cast<std::ptrdiff_t>(whole));
    return j;
  }
};

/// The journal's file. Every function may fail, and then the file is to be opened again.
class keeper {
 public:
  keeper(troupe::env& world, std::string name, journal_promise& promised)
      : world_(world), name_(std::move(name)), promised_(promised) {}

  /// Adds to `wrong` if what is there is not what was promised.
  troupe::result<void> open(std::string& wrong) {
    const auto old = world_.open_file(name_, troupe::file_use::create);
    if (!old) return old.error();
    const auto size = (*old)->size();
    if (!size) return size.error();
    bytes read(static_cast<std::size_t>(*size));
    const auto got = (*old)->read(0, read);
    if (!got) return got.error();
    if (*got != read.size()) wrong += "the file is shorter than it says; ";
    there_ = journal::parse(read);
    if (there_.records() < promised_.records) {
      wrong += "of " + std::to_string(promised_.records) + " records that were synced " +
               std::to_string(there_.records()) + " are there; ";
    } else if (there_.chain[promised_.records] != promised_.chain) {
      wrong += "other records are there than were synced; ";
    }
    // What is read need not be what is stored: a sync may have failed in the life before. So a copy takes its place.
    return copy();
  }

  troupe::result<void> append(std::span<const std::byte> body) {
    const std::size_t end = there_.all.size();
    there_.add(body);
    return file_->write(end, std::span(there_.all).subspan(end));
  }

  troupe::result<void> sync() {
    if (!mutated(mutant::lazy_sync)) {
      if (const auto done = file_->sync(); !done) return done;
    }
    promise();
    return {};
  }

 private:
  void promise() { promised_ = {there_.records(), there_.chain.back()}; }

  troupe::result<void> copy() {
    const std::string next = name_ + ".next";
    if (const auto gone = world_.remove_file(next); !gone && gone.error() != errc::not_found) return gone;
    auto made = world_.open_file(next, troupe::file_use::create);
    if (!made) return made.error();
    file_ = std::move(*made);
    if (const auto done = file_->write(0, there_.all); !done) return done;
    if (const auto done = file_->sync(); !done) return done;
    if (const auto done = world_.rename_file(next, name_); !done) return done;
    promise();
    return {};
  }

  troupe::env& world_;
  std::string name_;
  journal_promise& promised_;
  std::unique_ptr<troupe::file> file_;
  journal there_;
};

bytes some_body(chance& dice) {
  const bool large = dice.one_in(10);
  bytes body(dice.below(large ? 2'000 : 100));
  for (std::byte& b : body) b = static_cast<std::byte>(dice.next());
  return body;
}

}  // namespace

troupe::actor run_keeper(troupe::self<troupe::protocol<>> me, scene_ptr s, life_ptr own, promise_ptr promised,
                         std::uint64_t seed) {
  chance dice(seed);
  keeper k(troupe::detail::core_of(me.node()).world(), "journal-" + std::string(me.node().name()), *promised);
  const std::uint64_t work = s->begin(own, "a keeper of " + own->process->name());
  bool open = false;
  for (std::uint64_t rounds = dice.between(4, 12); rounds != 0 && !own->ended();) {
    if (!open) {
      std::string wrong;
      open = k.open(wrong).has_value();
      if (open) s->world.note(promised->chain);
      if (!wrong.empty()) s->violated("disk: journal of " + own->process->name() + ": " + wrong);
    }
    const std::uint64_t burst = dice.between(1, 6);
    for (std::uint64_t i = 0; i < burst && open; ++i) open = k.append(some_body(dice)).has_value();
    const bool syncs = dice.one_in(2);
    if (open && syncs) open = k.sync().has_value();
    if (open) --rounds;
    co_await me.sleep(std::chrono::microseconds(dice.below(20'000)));
  }
  if (!own->ended()) s->end(work);
}

}  // namespace seeds
