// Simulated connections. Each direction is a flow: bytes leave the sender at once, are under way for the time that the
// universe says, and wait at the receiver until they are read. The room is bounded, so a sender waits for its receiver. The
// end of a connection (FIN, or RST after a close with unread bytes) travels behind the bytes.
#pragma once

#include <string>

#include "sim/sim_object.hpp"

namespace troupe::detail {

class sim_socket;

struct sim_piece {
  enum class kind : std::uint8_t { bytes, fin, rst };
  kind what = kind::bytes;
  std::uint64_t number = 0;  // in its flow
  std::vector<std::byte> bytes{};
  std::size_t taken = 0;
  std::vector<object_ptr> descriptors{};
};

struct sim_flow {
  static constexpr std::size_t room = 256 * 1024;
  std::deque<sim_piece> under_way;
  std::deque<sim_piece> arrived;
  std::size_t bytes = 0;   // of both
  std::uint64_t sent = 0;  // pieces
  instant last_arrival{};
  instant blocked_until{};  // a cut
  instant slow_until{};     // a clog
  duration slowness{};
};

/// Both directions; flow i carries what end i sends.
struct sim_connection {
  bool local = false;
  bool broken = false;   // reset: nothing arrives any more
  bool hung_up = false;  // both ways: nothing is sent any more
  sim_flow flows[2];
  sim_socket* ends[2] = {nullptr, nullptr};
  const sim_process* owners[2] = {nullptr, nullptr};
};
using connection_ptr = std::shared_ptr<sim_connection>;

class sim_socket final : public sim_object {
 public:
  sim_socket(universe& of, const sim_process& owner, bool local) noexcept
      : world_(of), owner_(owner), local_(local) {}
  ~sim_socket() override;

  void attach(connection_ptr c, unsigned end);
  bool local() const noexcept { return local_; }
  const sim_connection* connection() const noexcept { return connection_.get(); }
  unsigned end() const noexcept { return end_; }
  void connection_failed(int number);
  bool connects() noexcept {
    return side(kind::connect).op != nullptr && side(kind::connect).what == kind::connect;
  }

  void let_go() override;
  void orphan() override;
  bool readable() const noexcept override;

  /// Without waiting: -EAGAIN, a negated errno, 0 at the end, or the bytes; descriptors that came with them are appended.
  std::int32_t take(std::span<std::byte> into, std::vector<object_ptr>* descriptors);
  /// Without waiting: all of it, or a negated errno.
  std::int32_t put(std::span<const std::byte> bytes, std::vector<object_ptr> descriptors);

 private:
  std::int32_t try_inward(waiting& w) override;
  std::int32_t try_outward(waiting& w) override;
  sim_flow& mine() const noexcept { return connection_->flows[end_]; }
  sim_flow& theirs() const noexcept { return connection_->flows[1 - end_]; }

  universe& world_;
  const sim_process& owner_;
  bool local_;
  connection_ptr connection_;
  unsigned end_ = 0;
  int failed_ = 0;  // errno of the connection attempt
};

class sim_listener final : public sim_object {
 public:
  sim_listener(universe& of, sim_process& owner, std::vector<std::string> keys, endpoint at)
      : world_(of), owner_(owner), keys_(std::move(keys)), bound_(std::move(at)) {}

  sim_process& owner() const noexcept { return owner_; }
  const endpoint& bound() const noexcept { return bound_; }
  void arrive(std::shared_ptr<sim_socket> connection);
  void let_go() override;
  void orphan() override;
  bool readable() const noexcept override { return !backlog_.empty(); }

 private:
  std::int32_t try_inward(waiting& w) override;

  universe& world_;
  sim_process& owner_;
  std::vector<std::string> keys_;
  endpoint bound_;
  std::deque<std::shared_ptr<sim_socket>> backlog_;
};

}  // namespace troupe::detail
