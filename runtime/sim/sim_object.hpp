// What a simulated descriptor stands for, and the operation of each side that waits for it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include <troupe/env.hpp>

#include "io_driver.hpp"

namespace troupe::detail {

class sim_driver;
class sim_process;
class universe;

/// Base of everything that a descriptor may stand for. At most one operation of each side waits (io_driver.hpp, rule 3).
class sim_object {
 public:
  sim_object() = default;
  sim_object(const sim_object&) = delete;
  sim_object& operator=(const sim_object&) = delete;
  virtual ~sim_object() = default;

  enum class kind : std::uint8_t { accept, connect, receive, send, readable };
  struct waiting {
    io_operation* op = nullptr;
    sim_driver* driver = nullptr;
    kind what = kind::readable;
    std::span<std::byte> into{};
    std::span<const std::byte> from{};
  };
  static constexpr bool is_outward(kind k) noexcept { return k == kind::connect || k == kind::send; }
  waiting& side(kind k) noexcept { return is_outward(k) ? outward_ : inward_; }

  /// Completes what can complete now.
  void advance();
  /// A descriptor of it was closed.
  virtual void let_go() {}
  /// Its process has died: what waits ends, as does all that comes, without touching the world.
  virtual void orphan() {
    orphaned_ = true;
    advance();
  }
  virtual bool readable() const noexcept { return false; }

 protected:
  /// The result, or not_yet.
  static constexpr std::int32_t not_yet = INT32_MIN;
  virtual std::int32_t try_inward(waiting&) { return not_yet; }
  virtual std::int32_t try_outward(waiting&) { return not_yet; }
  bool orphaned() const noexcept { return orphaned_; }

 private:
  void attempt(waiting& w, std::int32_t result);

  waiting inward_;
  waiting outward_;
  bool orphaned_ = false;
};

using object_ptr = std::shared_ptr<sim_object>;

/// A counter that wakes whoever waits for it.
class sim_event final : public sim_object {
 public:
  enum class use : std::uint8_t { event, doorbell };
  explicit sim_event(const sim_process& o, use what = use::event) noexcept : owner(&o), use_(what) {}
  const sim_process* const owner;
  /// Of a doorbell: one of its two processes has died.
  bool hung_up() const noexcept { return use_ == use::doorbell && orphaned(); }
  void signal() {
    signalled_ = true;
    advance();
  }
  void drain() noexcept { signalled_ = false; }
  bool readable() const noexcept override { return signalled_ || hung_up(); }

 private:
  std::int32_t try_inward(waiting&) override { return readable() ? 0 : not_yet; }
  const use use_;
  bool signalled_ = false;
};

/// Becomes readable when its process ends.
class sim_pidfd final : public sim_object {
 public:
  explicit sim_pidfd(bool ended) noexcept : ended_(ended) {}
  void process_ended() {
    ended_ = true;
    advance();
  }
  bool readable() const noexcept override { return ended_; }

 private:
  std::int32_t try_inward(waiting&) override { return ended_ ? 0 : not_yet; }
  bool ended_;
};

/// Memory that processes of one host share: an anonymous file of this process's kernel.
class sim_segment final : public sim_object {
 public:
  sim_segment(int file, std::size_t bytes) noexcept : file_(file), bytes_(bytes) {}
  ~sim_segment() override;
  int file() const noexcept { return file_; }
  std::size_t bytes() const noexcept { return bytes_; }

 private:
  int file_;
  std::size_t bytes_;
};

}  // namespace troupe::detail
