// The seam to everything that the kernel, the clock and chance decide.
//
// Nothing outside runtime/os/ calls a clock, a random source or the kernel: it asks the `env` it was given.
// Shipped programs use os_env(); a simulation supplies its own. An env is called at most once per worker
// turn or per I/O operation, so a virtual call costs nothing that shows.
//
// Thread-safety: every function may be called from any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <troupe/file.hpp>
#include <troupe/program.hpp>
#include <troupe/result.hpp>

namespace troupe {

/// The runtime's only clock: monotonic, in nanoseconds, read through env::now(). It has no now() of its own.
struct monotonic_clock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<monotonic_clock>;
  static constexpr bool is_steady = true;
};
using duration = monotonic_clock::duration;
using instant = monotonic_clock::time_point;

/// Which I/O driver a worker uses. `automatic` tries io_uring and falls back to the Asio reactor.
enum class io_backend : std::uint8_t { automatic, uring, asio };
std::string_view to_string(io_backend backend) noexcept;

/// Where a socket listens or connects: `tcp://HOST:PORT`, `unix:///path` or `unix://@abstract-name`.
struct endpoint {
  enum class kind : std::uint8_t { tcp, local };
  kind family = kind::tcp;
  std::string host;        // tcp: name, IPv4 or IPv6 literal (without brackets)
  std::uint16_t port = 0;  // tcp: 0 asks the kernel for a free one when listening
  std::string path;        // local: file path, or '@' and an abstract name

  /// The error names the text and the part of it that is wrong.
  static result<endpoint, setup_error> parse(std::string_view url);
  std::string url() const;
  bool is_loopback() const noexcept;  // 127.0.0.0/8, ::1, localhost, or local
  bool is_numeric()
      const noexcept;  // an address of IPv4 or IPv6 for a host, localhost, or local: nothing to look up
  bool operator==(const endpoint&) const = default;
};

/// What a FIFO (a named pipe) is opened for.
enum class fifo_use : std::uint8_t {
  read,         // from all its writers, those of now and those to come: it has no end
  read_to_end,  // until its last writer has closed it
  write,        // somebody must be reading it
};

class env;

/// Owns one kernel descriptor (or a simulation's stand-in) and closes it through its env. Move-only.
class descriptor {
 public:
  descriptor() noexcept = default;
  descriptor(env& owner, int fd) noexcept : env_(&owner), fd_(fd) {}
  descriptor(descriptor&& o) noexcept : env_(o.env_), fd_(std::exchange(o.fd_, -1)) {}
  descriptor& operator=(descriptor&& o) noexcept {
    if (this != &o) {
      reset();
      env_ = o.env_;
      fd_ = std::exchange(o.fd_, -1);
    }
    return *this;
  }
  ~descriptor() { reset(); }

  int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }
  void reset() noexcept;

 private:
  env* env_ = nullptr;
  int fd_ = -1;
};

namespace detail {
class io_driver;
class waiting_room;
class worker;
}  // namespace detail

/// A mapped memory segment; unmapped on destruction. Move-only.
class mapping {
 public:
  mapping() noexcept = default;
  mapping(env& owner, std::byte* data, std::size_t size) noexcept : env_(&owner), data_(data), size_(size) {}
  mapping(mapping&& o) noexcept : env_(o.env_), data_(std::exchange(o.data_, nullptr)), size_(o.size_) {}
  mapping& operator=(mapping&& o) noexcept {
    std::swap(env_, o.env_);
    std::swap(data_, o.data_);
    std::swap(size_, o.size_);
    return *this;
  }
  ~mapping();

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  explicit operator bool() const noexcept { return data_ != nullptr; }

 private:
  env* env_ = nullptr;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The process at the other end of a local socket, as the kernel vouches for it.
struct peer_process {
  std::uint32_t uid = 0;
  std::int32_t pid = 0;
  descriptor pidfd;  // becomes readable when the process ends; empty where the kernel has none
};

/// One message received with descriptors attached.
struct received_descriptors {
  std::size_t bytes = 0;
  std::vector<descriptor> descriptors;  // at most as many as asked for; extras were closed
};

/// One end of the socket between a child process and who started it.
struct inherited_link {
  descriptor socket;
  peer_process peer;  // who has the other end; in the child empty: there the kernel knows (peer_of)
};

/// A way to wake another process, which may be hostile. Who rings has both ends as long as it rings.
struct doorbell {
  descriptor heard;  // readable once it rang: a copy goes to who is to hear it
  descriptor rung;   // goes to nobody
};

/// A child process. Whoever has it reaps it.
struct started_process {
  std::int32_t pid = 0;     // and its process group's
  descriptor pidfd;         // becomes readable when it has ended
  descriptor in, out, err;  // this side of what is a stdio::stream: non-blocking sockets
  inherited_link link;      // if it was asked for
};

/// A thread that an env runs; the destructor waits for its end.
class running_thread {
 public:
  running_thread() = default;
  running_thread(const running_thread&) = delete;
  running_thread& operator=(const running_thread&) = delete;
  virtual ~running_thread() = default;
};

/// What a thread has done, in all its life.
struct thread_times {
  duration ran{};
  duration waited{};   // ready, without a processor: the present wait is not in it
  bool ready = false;  // it runs, or waits so
};

class env {
 public:
  virtual ~env() = default;

  virtual instant now() noexcept = 0;
  virtual std::uint64_t random() noexcept = 0;
  virtual std::uint32_t user_id() noexcept = 0;
  virtual std::int32_t process_id() noexcept = 0;
  /// The process's allocator keeps so many bytes of what is freed for each thread, rather than give them to the kernel. Else what
  /// is large is paged in anew each time: 256 page faults for 1 MiB cost more than to copy it.
  virtual void keep_freed_memory(std::size_t bytes) noexcept { static_cast<void>(bytes); }
  virtual unsigned processors() noexcept = 0;
  /// How long a worker without work may look out for some before it sleeps, when so many of them run. Zero: not at all, for
  /// somebody else wants the processor, or time stands still meanwhile.
  virtual duration look_out_for(unsigned workers) noexcept {
    static_cast<void>(workers);
    return {};
  }

  /// Whether a worker hands half of what it has to run to those that have nothing; `pays`: its runs take long.
  virtual bool spreads(bool pays) noexcept { return pays; }

  // Threads.
  /// Runs worker::run() on a thread of its own. Ask the worker to stop before the handle is destroyed.
  virtual std::unique_ptr<running_thread> run(detail::worker& w) = 0;
  /// Runs `body` on a thread beside the workers, or gives null: in a simulation nothing runs beside them.
  virtual std::unique_ptr<running_thread> run_beside(std::function<void()> body) = 0;
  /// Sleeps, with the room's guard held by the caller and given up meanwhile, until the room is notified, for no reason, or
  /// until `until`: then false. waiting_room::wait is the loop around it. Not on a worker.
  virtual bool sleep_in(detail::waiting_room& room, instant until) = 0;
  virtual std::int32_t thread_id() noexcept = 0;  // of the thread that calls
  /// Of a thread of this process; zeros where the kernel does not tell.
  virtual thread_times times_of(std::int32_t thread) noexcept = 0;

  /// An I/O driver for one worker. `note` says in one line which backend it is and why.
  virtual result<std::unique_ptr<detail::io_driver>, setup_error> open_io(io_backend wanted,
                                                                          std::string& note) = 0;

  // Sockets. All are non-blocking and close-on-exec; I/O on them goes through a worker's io_driver.
  /// `patience`: how long the caller may be held up while the address is still that of a process that was killed.
  virtual result<descriptor, setup_error> listen(const endpoint& at, int backlog, duration patience = {}) = 0;
  virtual result<descriptor, setup_error> open_socket(const endpoint& to) = 0;
  /// The addresses of its host, the best first, at least one; of a numeric endpoint itself. Blocks for as long as the system's resolver
  /// does, so not on a worker. The error names the host and the fix.
  virtual result<std::vector<endpoint>, setup_error> resolve(const endpoint& to) = 0;
  virtual endpoint local_endpoint(int fd) = 0;   // what a listener is bound to
  virtual endpoint remote_endpoint(int fd) = 0;  // where a connected socket leads
  virtual void close(int fd) noexcept = 0;

  // Same host.
  virtual result<peer_process> peer_of(int local_socket) = 0;
  virtual result<void> send_descriptors(int local_socket, std::span<const std::byte> bytes,
                                        std::span<const int> descriptors) = 0;
  /// errc::full when nothing has arrived yet, errc::closed at end of stream.
  virtual result<received_descriptors> receive_descriptors(int local_socket, std::span<std::byte> into,
                                                           std::size_t at_most) = 0;

  /// A new anonymous zero-filled segment of `size` bytes (a multiple of 4096), mapped read-write here, then
  /// sealed against shrinking, growing and any later writable mapping.
  virtual result<std::pair<descriptor, mapping>> create_segment(std::size_t size) = 0;
  /// Maps a peer's segment read-only after checking its seals and that it has exactly `size` bytes.
  virtual result<mapping> map_segment(int fd, std::size_t size) = 0;
  virtual void unmap(std::byte* data, std::size_t size) noexcept = 0;

  // FIFOs. Only an env with an operating system has them. A worker's io_driver waits until they are ready.
  /// Non-blocking and close-on-exec. The error is one line that names the path and the fix.
  virtual result<descriptor, setup_error> open_fifo(const std::string& path, fifo_use how);
  /// How many bytes, 0 at the end; errc::full when none have arrived yet.
  virtual result<std::size_t> read_fifo(int, std::span<std::byte>) { return errc::closed; }
  /// How many of the bytes; errc::full when there is no room. Never raises SIGPIPE.
  virtual result<std::size_t> write_fifo(int, std::span<const std::byte>) { return errc::closed; }

  // Events: a counter that wakes whoever waits for it to become readable.
  virtual result<descriptor> open_event() = 0;
  virtual void signal_event(int fd) noexcept = 0;
  virtual void drain_event(int fd) noexcept = 0;

  // Doorbells: nothing that a peer does to the flags, the room or the life of its end makes this process wait, or raises a
  // signal in it.
  /// To ring at a peer, who is passed the end that hears.
  virtual result<doorbell> open_doorbell() = 0;
  /// Whether what a peer has passed is an end that hears.
  virtual bool can_hear(int fd) noexcept = 0;
  virtual void ring(int fd) noexcept = 0;
  /// Takes what has rung so far, or a part of it, when the end stays readable; false: nobody can ring any more.
  virtual bool hear(int fd) noexcept = 0;

  // Child processes. Only an env with an operating system has them.
  /// Starts it, and returns when it runs its program: not before, and with an error if it cannot. It inherits its standard
  /// streams and, if `linked`, a link, and no other descriptor. When the thread that calls this ends, so does the child.
  virtual result<started_process, setup_error> start_process(const program& what, bool linked);
  /// Asks its process group to end, or ends it `at_once`. Nothing once it is reaped.
  /// False: this process may not, so it will end when it likes.
  virtual bool end_process(const started_process&, bool at_once) noexcept { return !at_once; }
  /// Nothing if it still runs; else that is over, and so is what was left of its group. Once.
  virtual std::optional<exit_status> reap_process(const started_process&) noexcept { return std::nullopt; }
  /// The link that whoever started this process left to it; empty if nobody did, or it was taken before. What is started from
  /// now on does not inherit it. Not while other threads run.
  virtual result<inherited_link, setup_error> take_inherited_link() { return inherited_link(); }

  // Disk. Each may block, as what a file does; each is durable when it returns (after an error it may be done or not), but
  // what the files contain is so only as far as it was synced. errc::not_found where the file or its folder is missing.
  /// To read and to write; a new file is empty, and only its owner may open it.
  virtual result<std::unique_ptr<file>> open_file(const std::string& path, file_use how) = 0;
  /// In one step, in place of what was called `to`: whoever looks finds the one or the other, also after a loss of power.
  virtual result<void> rename_file(const std::string& from, const std::string& to) = 0;
  virtual result<void> remove_file(const std::string& path) = 0;
};

/// The real kernel, clock and random source of this process.
env& os_env() noexcept;

inline void descriptor::reset() noexcept {
  if (fd_ >= 0) env_->close(std::exchange(fd_, -1));
}
inline result<started_process, setup_error> env::start_process(const program& what, bool) {
  return setup_error("cannot start " + what.path + ": there are no child processes here, as in a simulation");
}
inline result<descriptor, setup_error> env::open_fifo(const std::string& path, fifo_use) {
  return setup_error("cannot open " + path + ": there are no FIFOs here, as in a simulation");
}
inline mapping::~mapping() {
  if (data_ != nullptr) env_->unmap(data_, size_);
}

}  // namespace troupe
