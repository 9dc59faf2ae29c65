// troupe::process: a child process that an actor runs, as long as the actor wants it.
//
//   auto sort = troupe::process::start({.path = "sort", .in = stdio::stream, .out = stdio::stream});  // in an actor
//   co_await sort->in().write("b\na\n");
//   sort->in().close();                                              // end of input
//   auto first = co_await sort->out().read_line(512);                // result<std::string>: "a"
//   troupe::exit_status how = co_await sort->ended();
//
// For an actor that is a process, and no more, see run_process.hpp.
//
// Move-only, and owned by the actor: when it is destroyed, so is the child (SIGKILL), whatever destroyed it; the worker
// waits for the child then, so that no zombie is left. Signals go to the child's whole process group, and when the child has
// ended, what it leaves of that group is killed. If this process dies, the kernel kills the child (but not what that has
// started; one with a link is asked to end, as by SIGTERM, and troupe::run does so in order).
// Everything happens on the worker that started it (asserted).
#pragma once

#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <source_location>

#include <troupe/detail/strand.hpp>
#include <troupe/env.hpp>
#include <troupe/program.hpp>
#include <troupe/result.hpp>
#include <troupe/stream.hpp>
#include <troupe/task.hpp>

namespace troupe {

namespace detail {

class process_core;
struct let_go {
  void operator()(process_core* core) const noexcept;
};

class [[nodiscard("co_await it")]] process_end_operation {
 public:
  explicit process_end_operation(process_core& of) noexcept : of_(of) {}
  process_end_operation(const process_end_operation&) = delete;
  process_end_operation& operator=(const process_end_operation&) = delete;
  ~process_end_operation() { cancel(); }

  bool await_ready() const noexcept;
  void await_suspend(std::coroutine_handle<> waiter,
                     std::source_location at = std::source_location::current());
  exit_status await_resume() const noexcept;
  void cancel() noexcept;

 private:
  friend class process_core;
  process_core& of_;
  operation wait_;
};

}  // namespace detail

class process {
 public:
  /// Starts it on this worker, in an actor; returns when it runs (about a millisecond). The error is one line that names the
  /// program and why it does not run.
  static result<process, setup_error> start(const program& what) { return start(what, false); }

  std::int32_t id() const noexcept;
  /// Its standard streams, seen from here: `in` is written, `out` and `err` are read. Only what the program says is a
  /// stdio::stream (asserted).
  const byte_stream& in() const noexcept;
  const byte_stream& out() const noexcept;
  const byte_stream& err() const noexcept;

  /// co_await gives its exit_status once it has ended. One coroutine at a time (asserted).
  detail::process_end_operation ended() const noexcept { return detail::process_end_operation(*core_); }
  /// Asks it to end (SIGTERM). Nothing if it has ended.
  void terminate() const noexcept;
  void kill() const noexcept;  // SIGKILL
  /// Asks it to end, kills it if it has not in `grace`, and gives its exit_status.
  task<exit_status> stop(duration grace) const;

  // For actors that link with it (run_process.hpp).
  /// `linked`: it inherits one end of a local socket, which troupe::run there takes for a link.
  static result<process, setup_error> start(const program& what, bool linked);
  /// The other end, once.
  inherited_link take_link() const noexcept;

 private:
  explicit process(detail::process_core& core) noexcept : core_(&core) {}
  std::unique_ptr<detail::process_core, detail::let_go> core_;
};

}  // namespace troupe
