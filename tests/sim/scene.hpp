// What the actors of a seed tell about themselves, and what must hold of it. The actors know nothing of each other's
// truth: a scene sees all of them at once, which only one thread can.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <troupe/sim.hpp>
#include <troupe/troupe.hpp>

namespace seeds {

using namespace std::chrono_literals;

/// One life of one simulated node.
struct life {
  const troupe::sim::process* process;
  unsigned number;
  bool ended() const { return !process->alive() || process->lives() != number; }
};
using life_ptr = std::shared_ptr<const life>;

/// So much of what was sent has not arrived.
struct load {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
};

class scene {
 public:
  explicit scene(troupe::sim::world& w) : world(w) {}

  troupe::sim::world& world;
  std::vector<std::string> violations;
  bool over = false;  // no more traffic
  /// The connection of a new session broke before the acceptor had it.
  bool session_gone = false;
  bool old_version = false;  // some node's sessions over memory end with the socket beside it
  std::uint64_t moved = 0;   // links, to memory
  std::uint64_t fell = 0;    // and back
  std::uint64_t messages = 0;

  void violated(const std::string& what) {
    if (violations.size() < most_told) violations.push_back(what);
  }

  // Streams: what one sender sends to one ref, numbered from 1.
  std::uint64_t open_stream(life_ptr from) {
    streams_.push_back({std::move(from)});
    return streams_.size() - 1;
  }
  void accepted(std::uint64_t stream, std::uint64_t number, std::uint64_t bytes);
  /// It was the last: send() said no.
  void not_accepted(std::uint64_t stream, std::uint64_t number);
  /// `station`: the one that it reached, which must be the same for all of a stream.
  void arrived(std::uint64_t stream, std::uint64_t number, std::uint64_t station, bool counts);

  // Stations: actors that others find by name.
  /// `most_local`, `most_remote`: what its senders may have under way to it, all of its own node together, and all of any
  /// other.
  std::uint64_t new_station(life_ptr at, load most_local, load most_remote) {
    stations_.push_back({std::move(at), most_local, most_remote});
    return stations_.size() - 1;
  }
  void station_stopped(std::uint64_t station) { stations_[station].stopped = world.elapsed(); }
  /// Its function was called: when it was spawned, and after each failure.
  void station_begins(std::uint64_t station) { ++stations_[station].begun; }
  void station_spoiled(std::uint64_t station) { ++stations_[station].spoiled; }

  // Monitors, each of one watcher and one station.
  std::uint64_t monitored(life_ptr by, std::uint64_t station) {
    watches_.push_back({std::move(by), station});
    return watches_.size() - 1;
  }
  void downed(std::uint64_t watch, troupe::exit_kind how);
  /// Its DOWN need not come any more.
  void demonitored(std::uint64_t watch) { watches_[watch].wanted = false; }

  /// An actor asked for `wanted`, and it took `took`.
  void slept(troupe::duration wanted, troupe::duration took);

  // Work that has to end: asks and whole actors.
  std::uint64_t begin(life_ptr by, std::string what);
  void end(std::uint64_t work) { open_.erase(work); }
  /// What the living have begun and not ended.
  std::vector<std::string> unfinished() const;

  /// After everything has come to rest: what must hold of the whole.
  void judge(const troupe::sim::fault_counts& injected, std::uint64_t undelivered, std::uint64_t unknown);

 private:
  static constexpr std::size_t most_told = 20;
  static constexpr troupe::duration latest_down = 5s;  // after the end, whatever is cut or pauses meanwhile
  struct parcel {
    std::uint64_t number;
    std::uint64_t bytes;
  };
  struct one_stream {
    life_ptr from;
    std::uint64_t accepted = 0;
    std::uint64_t arrived = 0;
    std::uint64_t last = 0;
    std::uint64_t station = none;
    std::deque<parcel> under_way{};  // later ones than `last`: those before it have come or are lost
  };
  struct one_station {
    life_ptr at;
    load most_local;
    load most_remote;
    std::map<std::string, load> under_way{};    // by the node that it comes from
    std::optional<troupe::duration> stopped{};  // when
    std::uint64_t begun = 0;
    std::uint64_t spoiled = 0;
  };
  struct one_watch {
    life_ptr by;
    std::uint64_t station;
    unsigned downs = 0;
    bool wanted = true;
  };
  struct one_work {
    life_ptr by;
    std::string what;
  };
  static constexpr std::uint64_t none = ~std::uint64_t{0};

  void put_under_way(one_stream& s, const parcel& p);
  void take_off_the_way(one_stream& s, const parcel& p);
  bool links_lose_nothing() const;

  std::vector<one_stream> streams_;
  std::vector<one_station> stations_;
  std::vector<one_watch> watches_;
  std::map<std::uint64_t, one_work> open_;
  std::uint64_t next_work_ = 0;
};
using scene_ptr = std::shared_ptr<scene>;

}  // namespace seeds
