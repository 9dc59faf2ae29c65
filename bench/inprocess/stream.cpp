// One actor sends numbers to another as fast as it has room for them; it sums them. Also with payloads of other sizes, with
// a string, and in three types of message beside 100,000 other actors.
#include <cstring>
#include <string>

#include "by_hand.hpp"
#include "inprocess_cases.hpp"
#include "on_a_node.hpp"

namespace bench {
namespace {

constexpr std::uint64_t full_count = 10'000'000;

troupe::actor run_source(troupe::self<nothing> me, report done, setting how) {
  const auto sink = me.spawn(other_place(how), run_sum);
  const std::uint64_t count = how.times(full_count);
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) co_await sink.send<number>(i);
  const auto sum = co_await sink.ask<total>().within(std::chrono::minutes(5));
  const double rate = watch.millions_per_second(count);
  check(sum && *sum == sum_below(count), "stream: the sum is wrong");
  done->set_value(rate);
}
double by_troupe(const setting& how) { return on_a_node(how, run_source); }

template <class T>
using queue = by_hand::mailbox<T>;

by_hand::routine sum_by_hand(queue<std::int64_t>& in, std::uint64_t count, std::int64_t& sum) {
  for (std::uint64_t i = 0; i < count; ++i) sum += co_await in.pop();
}
by_hand::routine send_by_hand(queue<std::int64_t>& out, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) co_await out.push(static_cast<std::int64_t>(i));
}
double on_one_thread(const setting& how) {
  const std::uint64_t count = how.times(full_count);
  return by_hand::stream_rate<std::int64_t>(
      count, sum_below(count), [=](auto& out) { return send_by_hand(out, count); },
      [=](auto& in, std::int64_t& sum) { return sum_by_hand(in, count, sum); });
}

double on_two_threads(const setting& how) {
  const std::uint64_t count = how.times(full_count);
  by_hand::ring<std::int64_t> between;
  std::int64_t sum = 0;
  const stopwatch watch;
  std::thread sink([&] {
    by_hand::pin(1);
    between.pop_all(count, [&](std::int64_t n) { sum += n; });
  });
  by_hand::pin(0);
  std::int64_t next = 0;
  between.push_all(count, [&] { return next++; });
  sink.join();
  const double rate = watch.millions_per_second(count);
  check(sum == sum_below(count), "stream: the sum is wrong");
  return rate;
}

// Payloads.

template <std::size_t Bytes>
struct parcel {
  std::array<char, Bytes> bytes;
};
template <>
struct parcel<0> {};
template <std::size_t Bytes>
std::int64_t first_byte(const parcel<Bytes>& p) {
  if constexpr (Bytes == 0) {
    return 1;
  } else {
    return p.bytes[0];
  }
}
template <std::size_t Bytes>
parcel<Bytes> new_parcel() {
  parcel<Bytes> p;
  if constexpr (Bytes != 0) std::memset(p.bytes.data(), 1, Bytes);
  return p;
}

template <std::size_t Bytes>
troupe::actor run_parcel_sink(troupe::self<troupe::protocol<parcel<Bytes>, total>> me) {
  std::int64_t sum = 0;
  co_await me.serve([&](const parcel<Bytes>& p) { sum += first_byte(p); }, [&](total) { return sum; });
}
template <std::size_t Bytes>
troupe::actor run_parcel_source(troupe::self<nothing> me, report done, setting how) {
  const auto sink = me.spawn(run_parcel_sink<Bytes>);
  const std::uint64_t count = how.times(full_count / 5);
  const parcel<Bytes> sent = new_parcel<Bytes>();
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) co_await sink.template send<parcel<Bytes>>(sent);
  const auto sum = co_await sink.template ask<total>().within(std::chrono::minutes(5));
  const double rate = watch.millions_per_second(count);
  check(sum && *sum == static_cast<std::int64_t>(count), "stream_bytes: the sum is wrong");
  done->set_value(rate);
}

template <std::size_t Bytes>
by_hand::routine sum_parcels(queue<parcel<Bytes>>& in, std::uint64_t count, std::int64_t& sum) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const parcel<Bytes> p = co_await in.pop();
    sum += first_byte(p);
  }
}
template <std::size_t Bytes>
by_hand::routine send_parcels(queue<parcel<Bytes>>& out, std::uint64_t count) {
  const parcel<Bytes> sent = new_parcel<Bytes>();
  for (std::uint64_t i = 0; i < count; ++i) co_await out.push(sent);
}
template <std::size_t Bytes>
double parcels_by_hand(const setting& how) {
  const std::uint64_t count = how.times(full_count / 5);
  return by_hand::stream_rate<parcel<Bytes>>(
      count, static_cast<std::int64_t>(count), [=](auto& out) { return send_parcels<Bytes>(out, count); },
      [=](auto& in, std::int64_t& sum) { return sum_parcels<Bytes>(in, count, sum); });
}
template <std::size_t Bytes>
void add_parcels(cases& all) {
  all.push_back({"stream_bytes_" + std::to_string(Bytes), 1, placement::free, "M/s",
                 [](const setting& how) { return on_a_node(how, run_parcel_source<Bytes>); },
                 parcels_by_hand<Bytes>, Bytes});
}

// Strings.

struct word {
  std::string text;
};
using words = troupe::protocol<word, total>;
constexpr char forty[] = "a line of text that has forty characters";
static_assert(sizeof forty == 41);

troupe::actor run_reader(troupe::self<words> me) {
  std::int64_t sum = 0;
  co_await me.serve([&](const word& w) { sum += static_cast<std::int64_t>(w.text.size()); },
                    [&](total) { return sum; });
}
troupe::actor run_writer(troupe::self<nothing> me, report done, setting how) {
  const auto reader = me.spawn(run_reader);
  const std::uint64_t count = how.times(full_count / 5);
  const stopwatch watch;
  for (std::uint64_t i = 0; i < count; ++i) co_await reader.send<word>(forty);
  const auto sum = co_await reader.ask<total>().within(std::chrono::minutes(5));
  const double rate = watch.millions_per_second(count);
  check(sum && *sum == 40 * static_cast<std::int64_t>(count), "stream_string: the sum is wrong");
  done->set_value(rate);
}

by_hand::routine read_words(queue<std::string>& in, std::uint64_t count, std::int64_t& sum) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string text = co_await in.pop();
    sum += static_cast<std::int64_t>(text.size());
  }
}
by_hand::routine write_words(queue<std::string>& out, std::uint64_t count) {
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string text(forty);
    co_await out.push(std::move(text));
  }
}
double words_by_hand(const setting& how) {
  const std::uint64_t count = how.times(full_count / 5);
  return by_hand::stream_rate<std::string>(
      count, 40 * static_cast<std::int64_t>(count), [=](auto& out) { return write_words(out, count); },
      [=](auto& in, std::int64_t& sum) { return read_words(in, count, sum); });
}

}  // namespace

void add_stream(cases& all) {
  all.push_back({"stream", 1, placement::free, "M/s", by_troupe, on_one_thread});
  all.push_back({"stream", 2, placement::free, "M/s", by_troupe, on_one_thread});
  all.push_back({"stream", 2, placement::pinned, "M/s", by_troupe, on_two_threads});
  all.push_back({"stream_string", 1, placement::free, "M/s",
                 [](const setting& how) { return on_a_node(how, run_writer); }, words_by_hand});
  add_parcels<0>(all);
  add_parcels<64>(all);
  add_parcels<512>(all);
  add_parcels<4096>(all);
}

}  // namespace bench
