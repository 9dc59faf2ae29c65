#include "sim/sim_process.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include <troupe/assert.hpp>

#include "sim/universe.hpp"
#include "waiting_room.hpp"

namespace troupe::detail {
namespace {

template <class T>
std::shared_ptr<T> as(const object_ptr& o) {
  auto cast = std::dynamic_pointer_cast<T>(o);
  TROUPE_ASSERT(cast != nullptr, "a descriptor is used as something that it is not");
  return cast;
}

constexpr duration million{1'000'000};

}  // namespace

class sim_process::simulated_thread final : public running_thread {
 public:
  simulated_thread(sim_process& of, worker& w) noexcept : of_(of), worker_(w) {}
  ~simulated_thread() override {
    std::erase_if(of_.workers_, [&](const sim_worker& each) { return each.w == &worker_; });
    worker_.run();  // it has been asked to stop: to its end, without a pause
  }

 private:
  sim_process& of_;
  worker& worker_;
};

sim_process::sim_process(universe& of, std::string host, bool mortal, std::int32_t pid, std::uint64_t seed)
    : world_(of),
      host_(std::move(host)),
      mortal_(mortal),
      pid_(pid),
      chance_(seed),
      origin_universal_(of.now()) {
  // Clocks have nothing to do with each other.
  origin_here_ = instant(std::chrono::seconds(1 + chance_.below(1'000'000)));
}

sim_process::~sim_process() {
  TROUPE_ASSERT(workers_.empty(), "a simulated process ends after the node in it");
  TROUPE_ASSERT(std::ranges::all_of(descriptors_, [](const object_ptr& o) { return o == nullptr; }),
                "a descriptor was never closed");
  TROUPE_ASSERT(segments_.empty(), "shared memory was never unmapped");
}

void sim_process::kill() {
  if (!alive_) return;
  alive_ = false;
  died_ = now_here();
  for (const own_segment& s : segments_) {
    void* const at =
        ::mmap(s.data, s.size, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE, s.memory->file(), 0);
    TROUPE_ASSERT(at == s.data, "the kernel must give the dead its copy of shared memory");
  }
  for (const object_ptr& o : std::vector(descriptors_)) {
    if (o != nullptr) o->orphan();
  }
  world_.process_died(pid_);
}

// Its clock.

instant sim_process::local(instant universal) const noexcept {
  const duration passed = universal - origin_universal_;
  return origin_here_ + passed + passed / million.count() * ppm_;
}

instant sim_process::universal(instant here) const noexcept {
  if (here == instant::max()) return here;
  const duration passed = here - origin_here_;
  // The inverse is not exact; a worker that wakes too early goes to sleep again.
  return origin_universal_ + passed - passed / million.count() * ppm_ + std::chrono::microseconds(1);
}

void sim_process::skew(std::int64_t ppm) noexcept {
  origin_here_ = local(world_.now());
  origin_universal_ = world_.now();
  ppm_ = ppm;
}

instant sim_process::now_here() const noexcept { return local(world_.now()); }

instant sim_process::now() noexcept { return alive_ ? now_here() : died_ + alone_; }

bool sim_process::spreads(bool) noexcept { return world_.gives_work(); }

// Its threads.

std::unique_ptr<running_thread> sim_process::run(worker& w) {
  workers_.push_back({&w, static_cast<sim_driver*>(&w.io()), {}});
  return std::make_unique<simulated_thread>(*this, w);
}

bool sim_process::sleep_in(waiting_room& room, instant until) {
  TROUPE_ASSERT(current_worker == nullptr, "a worker may not block");
  room.guard.unlock();
  const bool more = alive_ ? world_.step(universal(until)) : turn_alone(until);
  if (alive_ && world_.after_step) world_.after_step(this);
  room.guard.lock();
  TROUPE_ASSERT(more || until != instant::max(), "what is waited for can never happen in this simulation");
  return now() < until;
}

/// The dead have no world: only their own workers and timers go on.
bool sim_process::turn_alone(instant until) {
  instant next = until;
  for (const sim_worker& each : workers_) {
    if (!each.io->asleep()) next = now();
  }
  for (const sim_worker& each : workers_) {
    if (each.io->asleep()) next = std::min(next, each.io->until());
  }
  if (next == instant::max()) return false;
  alone_ += std::max(next - now(), duration(std::chrono::microseconds(1)));
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (!workers_[i].io->asleep() || workers_[i].io->until() <= now()) workers_[i].w->turn(true);
  }
  return true;
}

result<std::unique_ptr<io_driver>, setup_error> sim_process::open_io(io_backend, std::string& note) {
  note = "simulated";
  return std::unique_ptr<io_driver>(std::make_unique<sim_driver>(*this));
}

// Descriptors.

object_ptr sim_process::object(int fd) const {
  const auto at = static_cast<std::size_t>(fd);
  TROUPE_ASSERT(fd >= 0 && at < descriptors_.size() && descriptors_[at] != nullptr,
                "a descriptor that is not open");
  return descriptors_[at];
}

int sim_process::adopt(object_ptr o) {
  const auto free = std::ranges::find(descriptors_, nullptr);  // the lowest, as the kernel
  const auto at = free - descriptors_.begin();
  if (free == descriptors_.end()) {
    descriptors_.push_back(std::move(o));
  } else {
    *free = std::move(o);
  }
  return static_cast<int>(at);
}

void sim_process::close(int fd) noexcept {
  const object_ptr o = object(fd);
  for (const auto k : {sim_object::kind::receive, sim_object::kind::send}) {
    const sim_driver* const waits = o->side(k).driver;
    TROUPE_ASSERT(waits == nullptr || &waits->process() != this,
                  "a descriptor was closed under an operation");
  }
  descriptors_[static_cast<std::size_t>(fd)] = nullptr;
  o->let_go();
}

void simulated::store_comes() noexcept {
  auto& self = static_cast<sim_process&>(current_worker->world());
  if (self.alive()) self.world().store_comes(self);
}

bool simulated::allocation_fails() noexcept {
  if (current_worker == nullptr) return false;
  auto& self = static_cast<sim_process&>(current_worker->world());
  return self.alive() && self.world().roll(sim::fault::no_memory, 200);
}

// The network.

/// Under what a listener there is found; nothing: it is no address of this host.
std::vector<std::string> sim_process::keys_to_bind(const endpoint& at) const {
  if (at.family == endpoint::kind::local) return {host_ + " " + at.path};
  const std::string port = ":" + std::to_string(at.port);
  if (at.is_loopback()) return {host_ + " loopback" + port};
  if (at.host == "0.0.0.0" || at.host == "::") return {host_ + " loopback" + port, host_ + port};
  if (at.host == host_) return {host_ + port};
  return {};
}

std::string sim_process::key_to_dial(const endpoint& to) const {
  if (to.family == endpoint::kind::local) return host_ + " " + to.path;
  return (to.is_loopback() ? host_ + " loopback" : to.host) + ":" + std::to_string(to.port);
}

result<descriptor, setup_error> sim_process::listen(const endpoint& at, int, duration) {
  endpoint bound = at;
  if (at.family == endpoint::kind::tcp && at.port == 0) bound.port = world_.free_port(host_);
  const std::vector<std::string> keys = keys_to_bind(bound);
  if (keys.empty()) {
    return setup_error{"cannot listen on " + at.url() + ": it is no address of the simulated host '" + host_ +
                       "'; use 0.0.0.0, 127.0.0.1 or that name"};
  }
  if (!alive_ || std::ranges::any_of(keys, [this](const std::string& k) { return world_.listens(k); })) {
    return setup_error{"cannot listen on " + at.url() + ": the address is in use"};
  }
  auto made = std::make_shared<sim_listener>(world_, *this, keys, bound);
  for (const std::string& key : keys) world_.listen(key, *made);
  return descriptor(*this, adopt(std::move(made)));
}

endpoint sim_process::local_endpoint(int fd) { return as<sim_listener>(object(fd))->bound(); }

endpoint sim_process::remote_endpoint(int fd) {
  const auto socket = as<sim_socket>(object(fd));
  endpoint at;
  if (socket->local()) at.family = endpoint::kind::local;
  const sim_connection* const c = socket->connection();
  const sim_process* const there = c != nullptr ? c->owners[1 - socket->end()] : nullptr;
  if (there != nullptr && !socket->local()) at.host = there->host() == host_ ? "127.0.0.1" : there->host();
  return at;
}

result<descriptor, setup_error> sim_process::open_socket(const endpoint& to) {
  if (alive_ && world_.roll(sim::fault::no_descriptors, 20)) {
    return setup_error{"cannot open a socket for " + to.url() + ": too many open files"};
  }
  return descriptor(*this,
                    adopt(std::make_shared<sim_socket>(world_, *this, to.family == endpoint::kind::local)));
}

void sim_process::dial(int socket, const endpoint& to) {
  const auto from = as<sim_socket>(object(socket));
  if (alive_) world_.dial(from, key_to_dial(to));
}

result<peer_process> sim_process::peer_of(int local_socket) {
  const auto socket = as<sim_socket>(object(local_socket));
  const std::int32_t pid = world_.pid_behind(*socket);
  if (pid == 0) return errc::closed;
  return peer_process{user_id(), pid, descriptor(*this, adopt(world_.pidfd_of(pid)))};
}

namespace {

error failure(std::int32_t result) noexcept {
  switch (result) {
    case -EAGAIN: return errc::full;
    case 0:
    case -EPIPE:
    case -ECONNRESET: return errc::closed;
    default: return error(errc::io_failed, -result);
  }
}

}  // namespace

result<void> sim_process::send_descriptors(int local_socket, std::span<const std::byte> bytes,
                                           std::span<const int> descriptors) {
  std::vector<object_ptr> objects;
  for (const int fd : descriptors) objects.push_back(object(fd));
  const std::int32_t sent = as<sim_socket>(object(local_socket))->put(bytes, std::move(objects));
  if (sent < 0) return failure(sent);
  return {};
}

result<received_descriptors> sim_process::receive_descriptors(int local_socket, std::span<std::byte> into,
                                                              std::size_t at_most) {
  std::vector<object_ptr> objects;
  const std::int32_t got = as<sim_socket>(object(local_socket))->take(into, &objects);
  if (got <= 0) return failure(got);
  received_descriptors received;
  received.bytes = static_cast<std::size_t>(got);
  for (object_ptr& o : objects) {
    if (received.descriptors.size() == at_most) break;
    received.descriptors.emplace_back(*this, adopt(std::move(o)));
  }
  return received;
}

// Shared memory.

result<std::pair<descriptor, mapping>> sim_process::create_segment(std::size_t size) {
  if (!alive_ || world_.roll(sim::fault::no_segment, 4)) return error(errc::io_failed, ENOMEM);
  auto memory = std::make_shared<sim_segment>(::memfd_create("troupe-sim", MFD_CLOEXEC), size);
  if (memory->file() < 0 || ::ftruncate(memory->file(), static_cast<off_t>(size)) != 0)
    return error(errc::io_failed, errno);
  void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->file(), 0);
  if (at == MAP_FAILED) return error(errc::io_failed, errno);
  auto* const data = static_cast<std::byte*>(at);
  segments_.push_back({data, size, memory});
  return std::pair(descriptor(*this, adopt(std::move(memory))), mapping(*this, data, size));
}

result<mapping> sim_process::map_segment(int fd, std::size_t size) {
  const auto memory = as<sim_segment>(object(fd));
  if (memory->bytes() != size) return error(errc::bad_message);
  void* const at = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, memory->file(), 0);
  if (at == MAP_FAILED) return error(errc::io_failed, errno);
  return mapping(*this, static_cast<std::byte*>(at), size);
}

void sim_process::unmap(std::byte* data, std::size_t size) noexcept {
  std::erase_if(segments_, [&](const own_segment& s) { return s.data == data; });
  ::munmap(data, size);
}

// Events.

result<descriptor> sim_process::open_event() {
  return descriptor(*this, adopt(std::make_shared<sim_event>(*this)));
}
void sim_process::signal_event(int fd) noexcept {
  const auto event = as<sim_event>(object(fd));
  if (alive_ || event->owner == this) event->signal();
}
void sim_process::drain_event(int fd) noexcept { as<sim_event>(object(fd))->drain(); }

/// Both ends are one event: nobody here is hostile.
result<doorbell> sim_process::open_doorbell() {
  const auto event = std::make_shared<sim_event>(*this, sim_event::use::doorbell);
  return doorbell{descriptor(*this, adopt(event)), descriptor(*this, adopt(event))};
}
bool sim_process::hear(int fd) noexcept {
  const auto bell = as<sim_event>(object(fd));
  bell->drain();
  return !bell->hung_up();
}
bool sim_process::can_hear(int fd) noexcept { return as<sim_event>(object(fd)) != nullptr; }

// Disk: not for the dead, whose host may have lost power.

result<std::unique_ptr<file>> sim_process::open_file(const std::string& path, file_use how) {
  if (!alive_) return error(errc::io_failed, EIO);
  return world_.disk_of(host_).open(*this, path, how);
}
/// When the disk fails, it may be done nevertheless.
template <class Change>
result<void> sim_process::change_names(const Change& change) {
  sim_disk& disk = world_.disk_of(host_);
  if (!world_.roll(sim::fault::disk_error, 30)) return change(disk);
  const bool done = world_.of(sim::fault::disk_error).one_in(2);
  if (done) static_cast<void>(change(disk));
  return error(errc::io_failed, EIO);
}

result<void> sim_process::rename_file(const std::string& from, const std::string& to) {
  if (!alive_) return error(errc::io_failed, EIO);
  return change_names([&](sim_disk& on) { return on.rename(from, to); });
}
result<void> sim_process::remove_file(const std::string& path) {
  if (!alive_) return error(errc::io_failed, EIO);
  return change_names([&](sim_disk& on) { return on.remove(path); });
}

}  // namespace troupe::detail
