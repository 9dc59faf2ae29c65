#include "explorer/engine.hpp"

#include <ucontext.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace troupe::explorer {
namespace {

constexpr unsigned most_locations = 32;
constexpr unsigned most_threads = 6;  // the first is the one that makes the program
constexpr std::size_t stack_bytes = 64 * 1024;

/// For each location the oldest store that may still be read, and for each thread how many of its steps are over.
struct view {
  std::array<std::uint16_t, most_locations> oldest{};
  std::array<std::uint16_t, most_threads> done{};

  void join_oldest(const view& other) noexcept {
    for (unsigned i = 0; i < most_locations; ++i) oldest[i] = std::max(oldest[i], other.oldest[i]);
  }
  void join(const view& other) noexcept {
    join_oldest(other);
    for (unsigned i = 0; i < most_threads; ++i) done[i] = std::max(done[i], other.done[i]);
  }
};

struct written {
  value what;
  view carried;  // by an acquire load that reads it
};

struct datum {
  unsigned writer = 0;
  std::uint16_t write = 0;                          // the writer's step
  std::array<std::uint16_t, most_threads> reads{};  // each thread's last step that read it
};

struct signalled {
  bool is = false;
  view carried;
};

struct fiber {
  ucontext_t context{};
  std::unique_ptr<std::byte[]> stack;
  std::function<void()> body;
  view sees;      // what has happened before
  view acquired;  // by relaxed loads: an acquire fence takes it over
  view released;  // by the last release fence: relaxed stores carry it
  bool over = false;
  int waits_for = -1;  // an event
};

struct choice {
  std::uint32_t chosen;
  std::uint32_t count;
};

bool acquires(order o) noexcept {
  return o == order::acquire || o == order::consume || o == order::acq_rel || o == order::seq_cst;
}
order weaker(order o) noexcept { return o == order::seq_cst ? order::acq_rel : order::relaxed; }
bool releases(order o) noexcept { return o == order::release || o == order::acq_rel || o == order::seq_cst; }

class engine final : public run {
 public:
  engine(const program& p, const limits& most, const site* weaker)
      : program_(p), most_(most), weaker_(weaker) {}

  findings explore();

  void thread(std::function<void()> body) override {
    if (threads_ == most_threads) fail("the program has too many threads");
    fiber& f = fibers_[threads_++];
    f.body = std::move(body);
  }
  void at_end(std::function<void()> check) override { end_ = std::move(check); }

  unsigned new_location(value initial) {
    if (locations_ == most_locations) fail("the program has too many atomics");
    stores_[locations_].clear();
    stores_[locations_].push_back({initial, {}});
    return locations_++;
  }
  unsigned new_datum() {
    data_.emplace_back();
    data_.back().writer = at_;
    data_.back().write = ++fibers_[at_].sees.done[at_];
    return static_cast<unsigned>(data_.size() - 1);
  }
  unsigned new_event() {
    events_.emplace_back();
    return static_cast<unsigned>(events_.size() - 1);
  }

  value load(unsigned location, order o, const std::source_location& at) {
    o = begin(o, at);
    const std::size_t index = readable(location, o);
    const bool old = index + 1 != stores_[location].size();
    const value found = see(fibers_[at_], location, index, o);
    note("load", found, old ? "an older value" : nullptr, at);
    return found;
  }

  void store(unsigned location, value v, order o, const std::source_location& at) {
    o = begin(o, at);
    fiber& me = fibers_[at_];
    append(me, location, v, o, {});
    note("store", v, nullptr, at);
  }

  value exchange(unsigned location, const std::function<value(value)>& change, order o,
                 const std::source_location& at) {
    o = begin(o, at);
    return replace(location, change(stores_[location].back().what), o, at);
  }

  value compare_exchange(unsigned location, value expected, value desired, order o, order failure,
                         const std::source_location& at) {
    const order strongest = o == order::relaxed ? failure : o;
    if (begin(strongest, at) != strongest) {
      o = weaker(o);
      failure = weaker(failure);
    }
    const auto& all = stores_[location];
    std::size_t index = readable(location, failure);
    if (all[index].what == expected) index = all.size() - 1;  // only the latest can be replaced
    if (all[index].what == expected) return replace(location, desired, o, at);
    note("failed exchange, found", all[index].what, nullptr, at);
    return see(fibers_[at_], location, index, failure);
  }

  void fence(order o, const std::source_location& at) {
    o = begin(o, at);
    fiber& me = fibers_[at_];
    if (acquires(o)) me.sees.join(me.acquired);
    if (o == order::seq_cst) {  // they order what may be read, and do not synchronize
      me.sees.join_oldest(common_);
      common_.join_oldest(me.sees);
    }
    if (releases(o)) me.released = me.sees;
    note("fence", 0, nullptr, at);
  }

  void read_datum(unsigned number) {
    datum& d = data_[number];
    fiber& me = fibers_[at_];
    ++me.sees.done[at_];
    if (me.sees.done[d.writer] < d.write) return violate("a race: data is read that another thread writes");
    d.reads[at_] = me.sees.done[at_];
  }
  void write_datum(unsigned number) {
    datum& d = data_[number];
    fiber& me = fibers_[at_];
    ++me.sees.done[at_];
    if (me.sees.done[d.writer] < d.write)
      return violate("a race: data is written that another thread writes");
    for (unsigned t = 0; t < most_threads; ++t) {
      if (t != at_ && me.sees.done[t] < d.reads[t])
        return violate("a race: data is written that another thread reads");
    }
    d.writer = at_;
    d.write = me.sees.done[at_];
  }

  void signal(unsigned event) {
    begin(order::relaxed, {});
    events_[event].is = true;
    events_[event].carried.join(fibers_[at_].sees);
    note("signal", event, nullptr, {});
  }
  void wait(unsigned event) {
    begin(order::relaxed, {});
    fiber& me = fibers_[at_];
    if (!events_[event].is) {
      note("sleeps on", event, nullptr, {});
      me.waits_for = static_cast<int>(event);
      give_way();
      me.waits_for = -1;
    }
    events_[event].is = false;
    me.sees.join(events_[event].carried);
    note("woken by", event, nullptr, {});
  }

  void violate(const char* what) {
    found_.violation = what;
    if (at_ == 0) return;
    ::swapcontext(&fibers_[at_].context, &fibers_[0].context);  // for good
  }

 private:
  static void body();
  [[noreturn]] static void fail(const char* why) {
    std::fprintf(stderr, "explorer: %s\n", why);
    std::abort();
  }

  void one_run();
  bool next_path();

  std::uint32_t choose(std::uint32_t count) {
    if (count == 1) return 0;
    if (depth_ == path_.size()) path_.push_back({0, count});
    if (path_[depth_].count != count)
      fail("the program does not do the same again when the same choices are made");
    return path_[depth_++].chosen;
  }

  /// Before each operation of a thread: another may go on first.
  order begin(order o, const std::source_location& at) {
    if (at_ != 0) {
      if (++steps_ > most_.steps) violate("a run that does not end");
      if (preemptions_left_ != 0) {
        const auto others = ready();
        const std::uint32_t next = choose(static_cast<std::uint32_t>(others.second));
        if (next != 0) {
          --preemptions_left_;
          go_to(others.first[next]);
        }
      }
    }
    fiber& me = fibers_[at_];
    ++me.sees.done[at_];
    if (o == order::relaxed) return o;
    const site here{at.file_name(), at.line()};
    if (weaker_ == nullptr) {
      if (at_ != 0) found_.ordered.insert(here);
      return o;
    }
    if (!(*weaker_ == here)) return o;
    return weaker(o);
  }

  bool can_run(unsigned t) const {
    const fiber& f = fibers_[t];
    return !f.over && (f.waits_for < 0 || events_[static_cast<unsigned>(f.waits_for)].is);
  }
  /// The threads that can run, this one first if it can.
  std::pair<std::array<unsigned, most_threads>, unsigned> ready() const {
    std::array<unsigned, most_threads> all{};
    unsigned count = 0;
    if (at_ != 0 && can_run(at_)) all[count++] = at_;
    for (unsigned t = 1; t < threads_; ++t) {
      if (t != at_ && can_run(t)) all[count++] = t;
    }
    return {all, count};
  }
  void go_to(unsigned t) {
    const unsigned from = std::exchange(at_, t);
    ::swapcontext(&fibers_[from].context, &fibers_[t].context);
  }
  /// This thread cannot go on, or is over.
  void give_way() {
    const auto others = ready();
    if (others.second == 0) {
      const bool all_over =
          std::all_of(fibers_.begin() + 1, fibers_.begin() + threads_, [](const fiber& f) { return f.over; });
      if (!all_over) violate("a thread sleeps for ever");
      go_to(0);
    } else {
      go_to(others.first[choose(others.second)]);
    }
  }

  /// Which of a location's stores a load reads.
  std::size_t readable(unsigned location, order o) {
    const auto& all = stores_[location];
    std::size_t oldest = fibers_[at_].sees.oldest[location];
    if (o == order::seq_cst) oldest = std::max<std::size_t>(oldest, common_.oldest[location]);
    if (oldest >= all.size()) fail("an atomic that another run has made is used");
    const std::size_t count = at_ == 0 || stale_left_ == 0 ? 1 : all.size() - oldest;
    const std::size_t back = choose(static_cast<std::uint32_t>(count));
    if (back != 0) --stale_left_;
    return all.size() - 1 - back;
  }
  value see(fiber& me, unsigned location, std::size_t index, order o) {
    me.sees.oldest[location] = static_cast<std::uint16_t>(index);
    if (o == order::seq_cst) {
      common_.oldest[location] = std::max(common_.oldest[location], me.sees.oldest[location]);
    }
    const written& w = stores_[location][index];
    (acquires(o) ? me.sees : me.acquired).join(w.carried);
    return w.what;
  }
  void append(fiber& me, unsigned location, value v, order o, const view& inherited) {
    auto& all = stores_[location];
    const auto index = static_cast<std::uint16_t>(all.size());
    me.sees.oldest[location] = index;
    if (o == order::seq_cst) common_.oldest[location] = index;
    view carried = releases(o) ? me.sees : me.released;
    carried.join(inherited);
    carried.oldest[location] = index;
    all.push_back({v, carried});
  }
  value replace(unsigned location, value v, order o, const std::source_location& at) {
    fiber& me = fibers_[at_];
    const std::size_t last = stores_[location].size() - 1;
    const view inherited = stores_[location][last].carried;
    const value before = see(me, location, last, o);
    append(me, location, v, o, inherited);
    note("exchange, found", before, nullptr, at);
    return before;
  }

  void note(const char* what, value v, const char* more, const std::source_location& at) {
    if (!tracing_) return;
    std::string name = at.file_name();
    name = name.substr(name.rfind('/') + 1);
    found_.trace += "  thread " + std::to_string(at_) + ": " + what + " " + std::to_string(v);
    if (more != nullptr) found_.trace += std::string(" (") + more + ")";
    if (at.line() != 0) found_.trace += "  at " + name + ":" + std::to_string(at.line());
    found_.trace += "\n";
  }

  const program& program_;
  const limits most_;
  const site* weaker_;
  findings found_;
  std::vector<choice> path_;
  std::size_t depth_ = 0;
  bool tracing_ = false;

  // Of one run.
  std::array<fiber, most_threads> fibers_;
  unsigned threads_ = 1;
  unsigned at_ = 0;
  std::array<std::vector<written>, most_locations> stores_;
  unsigned locations_ = 0;
  std::vector<datum> data_;
  std::vector<signalled> events_;
  view common_;  // passed on by the seq_cst fences
  unsigned steps_ = 0;
  unsigned preemptions_left_ = 0;
  unsigned stale_left_ = 0;
  std::function<void()> end_;
};

engine* current = nullptr;

void engine::body() {
  engine& e = *current;
  fiber& me = e.fibers_[e.at_];
  me.body();
  me.over = true;
  e.give_way();
}

void engine::one_run() {
  depth_ = 0;
  threads_ = 1;
  at_ = 0;
  locations_ = 0;
  data_.clear();
  events_.clear();
  common_ = {};
  steps_ = 0;
  preemptions_left_ = most_.preemptions;
  stale_left_ = most_.stale_loads;
  fibers_[0].sees = fibers_[0].acquired = fibers_[0].released = {};
  program_(*this);
  for (unsigned t = 1; t < threads_; ++t) {
    fiber& f = fibers_[t];
    f.sees = fibers_[0].sees;
    f.acquired = f.released = {};
    f.over = false;
    f.waits_for = -1;
    if (!f.stack) f.stack = std::make_unique<std::byte[]>(stack_bytes);
    ::getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack.get();
    f.context.uc_stack.ss_size = stack_bytes;
    f.context.uc_link = nullptr;
    ::makecontext(&f.context, &engine::body, 0);
  }
  give_way();
  at_ = 0;
  if (!tracing_) ++found_.runs;
  if (found_.violation.empty()) {
    for (unsigned t = 1; t < threads_; ++t) fibers_[0].sees.join(fibers_[t].sees);
    if (end_) end_();
  }
  end_ = nullptr;
  for (unsigned t = 1; t < threads_; ++t) fibers_[t].body = nullptr;  // the program's objects end with it
}

/// False: all have been walked.
bool engine::next_path() {
  while (!path_.empty() && path_.back().chosen + 1 == path_.back().count) path_.pop_back();
  if (path_.empty()) return false;
  ++path_.back().chosen;
  return true;
}

findings engine::explore() {
  engine* const outer = std::exchange(current, this);
  do {
    one_run();
    if (!found_.violation.empty()) {
      tracing_ = true;
      one_run();  // the same choices again
      break;
    }
    found_.complete = !next_path();
  } while (!found_.complete && found_.runs < most_.runs);
  current = outer;
  return found_;
}

}  // namespace

findings explore(const program& p, const limits& most, const site* weaker) {
  return std::make_unique<engine>(p, most, weaker)->explore();
}

void require(bool holds, const char* what) {
  if (!holds) current->violate(what);
}
unsigned new_location(value initial) { return current->new_location(initial); }
value load(unsigned location, order o, const std::source_location& at) {
  return current->load(location, o, at);
}
void store(unsigned location, value v, order o, const std::source_location& at) {
  current->store(location, v, o, at);
}
value exchange(unsigned location, const std::function<value(value)>& change, order o,
               const std::source_location& at) {
  return current->exchange(location, change, o, at);
}
value compare_exchange(unsigned location, value expected, value desired, order success, order failure,
                       const std::source_location& at) {
  return current->compare_exchange(location, expected, desired, success, failure, at);
}
void fence(order o, const std::source_location& at) { current->fence(o, at); }
unsigned new_datum() { return current->new_datum(); }
void read_datum(unsigned datum) { current->read_datum(datum); }
void write_datum(unsigned datum) { current->write_datum(datum); }
event::event() : number_(current->new_event()) {}
void event::signal() { current->signal(number_); }
void event::wait() { current->wait(number_); }

}  // namespace troupe::explorer
