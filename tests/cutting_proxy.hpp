// A TCP proxy on loopback that cuts its connections: at once, when it is told to, or each after so many bytes, by chance. One
// thread of its own; its functions are for the test's thread.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <troupe/env.hpp>

namespace test {

class cutting_proxy {
 public:
  enum class cut : std::uint8_t {
    reset,   // RST to both
    finish,  // FIN to both, in the midst of whatever there is
    flip,    // a bit in the midst of what goes on is another one
  };

  explicit cutting_proxy(std::uint16_t to) : to_(to) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
      std::abort();
    port_ = ntohs(at.sin_port);
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    thread_ = std::thread([this] { relay(); });
  }
  cutting_proxy(const cutting_proxy&) = delete;
  cutting_proxy& operator=(const cutting_proxy&) = delete;
  ~cutting_proxy() {
    change([&] { over_ = true; });
    thread_.join();
    ::close(listener_);
    ::close(wake_);
  }

  std::uint16_t port() const noexcept { return port_; }
  unsigned connections() const noexcept { return connections_; }
  unsigned attempts() const noexcept { return attempts_; }  // with those that were refused

  /// All that was carried since, both ways.
  void record() {
    change([&] { records_ = true; });
  }
  std::string recorded() {
    const std::lock_guard lock(mutex_);
    return recorded_;
  }

  /// Every connection there is, now.
  void cut_now(cut how) {
    change([&] {
      cut_now_ = true;
      how_ = how;
    });
  }
  /// Each connection after least to most bytes of both directions together, in one of the first `ways`, the next `times`
  /// of them. most = 0: no more.
  void cut_each(std::size_t least, std::size_t most, unsigned ways = 3, unsigned times = ~0u) {
    change([&] {
      times_ = times;
      least_ = least;
      most_ = most;
      ways_ = ways;
    });
  }
  /// New connections are reset.
  void refuse(bool yes) {
    change([&] { refuses_ = yes; });
  }
  /// Nothing is carried, and nothing said of it.
  void freeze(bool yes) {
    change([&] { frozen_ = yes; });
  }

 private:
  struct way {
    std::vector<char> held;
    std::size_t sent = 0;
    bool ended = false;
  };
  struct pair {
    std::array<int, 2> ends;    // 0: who dialled
    std::array<way, 2> ways{};  // i: from end i
    std::size_t carried = 0;
    std::size_t until = 0;  // 0: for good
    cut how = cut::reset;
  };

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return at;
  }
  template <class F>
  void change(F f) {
    {
      const std::lock_guard lock(mutex_);
      f();
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(wake_, &one, sizeof one);
  }

  void relay() {
    std::unique_lock lock(mutex_);
    while (!over_) {
      if (std::exchange(cut_now_, false)) {
        for (pair& p : pairs_) end(p, how_);
        pairs_.clear();
      }
      std::vector<pollfd> polled{{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
      for (const pair& p : pairs_) {
        for (unsigned i : {0u, 1u}) {
          const bool reads = p.ways[i].held.empty() && !p.ways[i].ended;
          const int events = (reads ? POLLIN : 0) | (p.ways[1 - i].held.empty() ? 0 : POLLOUT);
          polled.push_back({frozen_ || events == 0 ? -1 : p.ends[i], static_cast<short>(events), 0});
        }
      }
      lock.unlock();
      ::poll(polled.data(), polled.size(), -1);
      lock.lock();
      std::uint64_t waste = 0;
      [[maybe_unused]] const ssize_t n = ::read(wake_, &waste, sizeof waste);
      if (!frozen_ && !cut_now_) std::erase_if(pairs_, [this](pair& p) { return !carry(p); });
      accept();
    }
    for (pair& p : pairs_) end(p, cut::finish);
  }

  void accept() {
    const int dialled = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (dialled < 0) return;
    ++attempts_;
    if (refuses_) return close(dialled, true);
    const int onward = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in at = loopback(to_);
    if (::connect(onward, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) {
      close(dialled, true);
      return close(onward, false);
    }
    ++connections_;
    pair& p = pairs_.emplace_back(pair{.ends = {dialled, onward}});
    if (most_ == 0 || times_ == 0) return;
    --times_;
    p.until = least_ + random_() % (most_ - least_ + 1);
    p.how = static_cast<cut>(connections_ % ways_);
  }

  /// False: it is over.
  bool carry(pair& p) {
    for (unsigned i : {0u, 1u}) {
      way& w = p.ways[i];
      char bytes[16 * 1024];
      if (w.held.empty() && !w.ended) {
        const ssize_t n = ::recv(p.ends[i], bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN) return end(p, cut::reset);
        if (n == 0) {
          w.ended = true;
          ::shutdown(p.ends[1 - i], SHUT_WR);
        }
        if (n > 0 && !take(p, i, bytes, static_cast<std::size_t>(n))) return false;
      }
      if (!flush(p, i)) return end(p, cut::reset);
    }
    return !(p.ways[0].ended && p.ways[1].ended) || end(p, cut::finish);
  }

  bool take(pair& p, unsigned from, char* bytes, std::size_t n) {
    const bool last = p.until != 0 && p.carried + n >= p.until;
    if (last && p.how != cut::flip) n = p.until - p.carried;
    p.carried += n;
    if (records_) recorded_.append(bytes, n);
    const bool flips = last && p.how == cut::flip;
    if (flips && n != 0) bytes[n / 2] = static_cast<char>(bytes[n / 2] ^ 4);
    p.ways[from].held.assign(bytes, bytes + n);
    if (flips) p.until = 0;  // the nodes find out
    if (!last || flips) return true;
    flush(p, from);
    return end(p, p.how);
  }

  static bool flush(pair& p, unsigned from) {
    way& w = p.ways[from];
    while (w.sent != w.held.size()) {
      const ssize_t n = ::send(p.ends[1 - from], w.held.data() + w.sent, w.held.size() - w.sent,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0) return errno == EAGAIN;
      w.sent += static_cast<std::size_t>(n);
    }
    w.held.clear();
    w.sent = 0;
    return true;
  }

  static bool end(const pair& p, cut how) {
    for (const int fd : p.ends) close(fd, how == cut::reset);
    return false;
  }
  static void close(int fd, bool reset) {
    const linger none{1, 0};
    if (reset) ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    ::close(fd);
  }

  const std::uint16_t to_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_ = -1;
  std::atomic<unsigned> connections_{0};
  std::atomic<unsigned> attempts_{0};
  std::mutex mutex_;
  bool over_ = false;
  bool records_ = false;
  std::string recorded_;
  bool cut_now_ = false;
  bool refuses_ = false;
  bool frozen_ = false;
  cut how_ = cut::reset;
  std::size_t least_ = 0;
  std::size_t most_ = 0;
  unsigned ways_ = 3;
  unsigned times_ = 0;
  std::minstd_rand random_{7};  // the same in each run
  std::list<pair> pairs_;
  std::thread thread_;
};

}  // namespace test
