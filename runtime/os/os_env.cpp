// Clock, chance, identity, threads, and the choice of the I/O driver.
#include <malloc.h>
#include <sched.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>

#include <troupe/assert.hpp>
#include <troupe/detail/worker.hpp>
#include "os/asio_driver.hpp"
#include "os/kernel_env.hpp"
#include "os/uring_driver.hpp"
#include "waiting_room.hpp"

namespace troupe {

std::string_view to_string(io_backend backend) noexcept {
  switch (backend) {
    case io_backend::automatic: return "auto";
    case io_backend::uring: return "uring";
    case io_backend::asio: return "asio";
  }
  return "unknown";
}

env& os_env() noexcept {
  // Never destroyed: descriptors in objects of static storage may close through it after main.
  static detail::kernel_env* const the_env = new detail::kernel_env;
  return *the_env;
}

}  // namespace troupe

namespace troupe::detail {

instant kernel_env::now() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return instant(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

std::uint64_t kernel_env::random() noexcept {
  std::uint64_t value = 0;
  const auto got = ::getrandom(&value, sizeof value, 0);  // up to 256 bytes come whole
  TROUPE_ASSERT(got == static_cast<ssize_t>(sizeof value), "the kernel must allow getrandom");
  return value;
}

std::uint32_t kernel_env::user_id() noexcept { return ::geteuid(); }
std::int32_t kernel_env::process_id() noexcept { return ::getpid(); }

/// An arena's heap is given back from its top; what is over the other threshold never was a part of one.
void kernel_env::keep_freed_memory(std::size_t bytes) noexcept {
  constexpr std::size_t as_it_was = 128u << 10;
  constexpr std::size_t largest_threshold = 32u << 20;  // that glibc takes
  ::mallopt(M_TRIM_THRESHOLD, static_cast<int>(std::clamp<std::size_t>(bytes, as_it_was, 1u << 30)));
  ::mallopt(M_MMAP_THRESHOLD, static_cast<int>(std::clamp(bytes / 2, as_it_was, largest_threshold)));
}

unsigned kernel_env::processors() noexcept {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) == 0)
    return static_cast<unsigned>(std::max(1, CPU_COUNT(&allowed)));
  return static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));  // more than 1024 processors
}

/// Waking a worker takes some 15 µs, for it and for who wakes it: about as long is worth looking.
duration kernel_env::look_out_for(unsigned workers) noexcept {
  constexpr duration one_wake = std::chrono::microseconds(20);
  const unsigned here = processors();
  return here > 1 && workers <= here ? one_wake : duration::zero();
}

namespace {

class joined_thread final : public running_thread {
 public:
  explicit joined_thread(std::function<void()> body) : thread_(std::move(body)) {}
  ~joined_thread() override { thread_.join(); }

 private:
  std::thread thread_;
};

}  // namespace

std::unique_ptr<running_thread> kernel_env::run(worker& w) {
  return run_beside([&w] { w.run(); });
}

std::unique_ptr<running_thread> kernel_env::run_beside(std::function<void()> body) {
  return std::make_unique<joined_thread>(std::move(body));
}

bool kernel_env::sleep_in(waiting_room& room, instant until) {
  std::unique_lock lock(room.guard, std::adopt_lock);
  bool in_time = true;
  if (until == instant::max()) {
    room.changed.wait(lock);
  } else {
    in_time = room.changed.wait_for(lock, until - now()) == std::cv_status::no_timeout;
  }
  lock.release();  // the caller's
  return in_time;
}

std::int32_t kernel_env::thread_id() noexcept { return ::gettid(); }

thread_times kernel_env::times_of(std::int32_t thread) noexcept {
  const auto open = [thread](const char* file) {
    char path[64];
    std::snprintf(path, sizeof path, "/proc/self/task/%d/%s", static_cast<int>(thread), file);
    const auto close = [](std::FILE* f) { std::fclose(f); };
    return std::unique_ptr<std::FILE, decltype(close)>(std::fopen(path, "re"), close);
  };
  thread_times times;
  long long ran = 0;
  long long waited = 0;
  const auto sums = open("schedstat");
  if (sums == nullptr || std::fscanf(sums.get(), "%lld %lld", &ran, &waited) != 2) return {};
  times.ran = duration(ran);
  times.waited = duration(waited);
  char state = 0;  // behind the name, which is in parentheses and has at most 15 characters of any kind
  const auto line = open("stat");
  char text[64] = {};
  if (line != nullptr && std::fread(text, 1, sizeof text - 1, line.get()) != 0) {
    const char* const end = std::strrchr(text, ')');
    if (end != nullptr && end[1] == ' ') state = end[2];
  }
  times.ready = state == 'R' && ran != 0;  // 0: a kernel that does not count
  return times;
}

result<std::unique_ptr<io_driver>, setup_error> kernel_env::open_io(io_backend wanted, std::string& note) {
  if (wanted == io_backend::asio) {
    note = "asio: asked for";
    return make_asio_driver();
  }
  auto ring = make_uring_driver();
  if (ring) {
    note = wanted == io_backend::uring ? "io_uring: asked for" : "io_uring: this kernel allows it";
    return ring;
  }
  const std::string refusal = "io_uring refused (" + ring.error().text + ")";
  if (wanted == io_backend::uring) return setup_error{refusal + "; or use --io asio or --io auto"};
  note = "asio: " + refusal;
  return make_asio_driver();
}

}  // namespace troupe::detail
