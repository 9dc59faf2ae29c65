// Byte streams for actors: TCP and Unix sockets, and FIFOs, that an actor reads and writes with co_await, on its own
// worker's I/O driver. For talking to the world outside (people, other programs); actors talk to each other
// with messages.
//
//   auto door = troupe::listener::open("tcp://127.0.0.1:7000");      // in an actor
//   auto someone = co_await door->accept();                          // result<byte_stream>
//   auto line = co_await someone->read_line(512);                    // result<std::string>
//   co_await someone->write("hello\n");                              // result<void>
//
//   auto orders = troupe::byte_stream::open_fifo("/run/shop/orders", troupe::fifo_use::read);
//   auto order = co_await orders->read_line(512);                    // of any program that writes there
//
// Both classes are handles: copies mean the same socket, which closes when the last one is gone or close() is
// called. One coroutine may read a stream while another one writes it (one of each, asserted); both must run
// on the worker that opened or accepted it (asserted), for example two actors of one family. Destroying a
// coroutine that waits here is safe: the kernel only ever touches buffers that the socket itself keeps alive,
// and no byte that has arrived is lost.
//
// Errors: closed (end of stream, or close() was called, also while waiting), too_large (read_line), io_failed
// with the errno in error::detail, unreachable (connect: a bad URL or an unknown host; a log line says
// which).
#pragma once

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <troupe/detail/strand.hpp>
#include <troupe/env.hpp>
#include <troupe/result.hpp>

namespace troupe {

class byte_stream;

namespace detail {

class stream_core;
class listener_core;

/// A counted reference to a socket.
template <class Core>
class socket_handle {
 public:
  explicit socket_handle(Core& fresh) noexcept
      : core_(&fresh) {}  // takes over the one reference that it is born with
  socket_handle(const socket_handle& o) noexcept;
  socket_handle(socket_handle&& o) noexcept : core_(std::exchange(o.core_, nullptr)) {}
  socket_handle& operator=(socket_handle o) noexcept {
    std::swap(core_, o.core_);
    return *this;
  }
  ~socket_handle();

  Core& operator*() const noexcept;  // asserts that the handle was not moved from and that this is its worker
  Core* operator->() const noexcept { return &**this; }

 private:
  Core* core_;
};
extern template class socket_handle<stream_core>;
extern template class socket_handle<listener_core>;

class [[nodiscard("co_await it")]] accept_operation {
 public:
  explicit accept_operation(const socket_handle<listener_core>& at) noexcept : at_(at) {}
  accept_operation(const accept_operation&) = delete;
  accept_operation& operator=(const accept_operation&) = delete;
  ~accept_operation() { cancel(); }

  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> acceptor,
                     std::source_location at = std::source_location::current());
  result<byte_stream> await_resume();
  void cancel() noexcept;

 private:
  friend class listener_core;
  socket_handle<listener_core> at_;
  operation wait_;
};

class [[nodiscard("co_await it")]] connect_operation {
 public:
  explicit connect_operation(std::string_view url);
  connect_operation(const connect_operation&) = delete;
  connect_operation& operator=(const connect_operation&) = delete;
  ~connect_operation() { cancel(); }

  bool await_ready();
  void await_suspend(std::coroutine_handle<> caller,
                     std::source_location at = std::source_location::current());
  result<byte_stream> await_resume();
  void cancel() noexcept;

 private:
  friend class stream_core;
  result<endpoint, setup_error> to_;
  result<socket_handle<stream_core>> stream_ = errc::unreachable;
  error failure_;
  operation wait_;
};

enum class read_unit : std::uint8_t { some, line };

class [[nodiscard("co_await it")]] read_operation {
 public:
  read_operation(const socket_handle<stream_core>& from, read_unit unit, std::size_t most) noexcept;
  read_operation(const read_operation&) = delete;
  read_operation& operator=(const read_operation&) = delete;
  ~read_operation() { cancel(); }

  bool await_ready() const;
  void await_suspend(std::coroutine_handle<> reader,
                     std::source_location at = std::source_location::current());
  result<std::string> await_resume();
  void cancel() noexcept;

 private:
  friend class stream_core;
  socket_handle<stream_core> from_;
  std::size_t most_;
  read_unit unit_;
  operation wait_;
};

class [[nodiscard("co_await it")]] write_operation {
 public:
  write_operation(const socket_handle<stream_core>& to, std::string_view bytes) noexcept
      : to_(to), rest_(bytes) {}
  write_operation(const write_operation&) = delete;
  write_operation& operator=(const write_operation&) = delete;
  ~write_operation() { cancel(); }

  bool await_ready();
  void await_suspend(std::coroutine_handle<> writer,
                     std::source_location at = std::source_location::current());
  result<void> await_resume() const noexcept;
  void cancel() noexcept;

 private:
  friend class stream_core;
  socket_handle<stream_core> to_;
  std::string_view rest_;  // what is not in the stream's own buffer yet
  error failure_;
  operation wait_;
};

}  // namespace detail

class byte_stream {
 public:
  explicit byte_stream(detail::socket_handle<detail::stream_core> core) noexcept : core_(std::move(core)) {}

  /// co_await gives result<byte_stream>.
  static detail::connect_operation connect(std::string_view url) { return detail::connect_operation(url); }

  /// Opens a FIFO that exists, at once: it waits for nobody at the other end. Opened to read it is only read, else only written
  /// (asserted). The error is one line that names the path and the fix: there is none, it is something else, nobody reads it.
  ///   read         Writers come and go; if one goes in the middle of a line, that goes on with what comes next. It takes the
  ///                right to write the FIFO, too.
  ///   read_to_end  closed, once the last writer has closed it; not before the first one has come.
  ///   write        Up to 4096 bytes of one write() come in one piece, whoever else writes. When nobody reads the FIFO any
  ///                more, write() fails (io_failed, EPIPE), and no signal is raised.
  static result<byte_stream, setup_error> open_fifo(const std::string& path, fifo_use how);

  /// co_await gives 1…`most` bytes as soon as there are any.
  detail::read_operation read_some(std::size_t most) const {
    return detail::read_operation(core_, detail::read_unit::some, most);
  }
  /// co_await gives the next line without its LF or CRLF; the last one may lack them. A line of more than
  /// `most` bytes is too_large: it is skipped, and the next call gives the line after it.
  detail::read_operation read_line(std::size_t most) const {
    return detail::read_operation(core_, detail::read_unit::line, most);
  }
  /// co_await gives result<void>: ok once the kernel has taken all of it. `bytes` must stay until then.
  detail::write_operation write(std::string_view bytes) const {
    return detail::write_operation(core_, bytes);
  }
  void close() const noexcept;

 private:
  detail::socket_handle<detail::stream_core> core_;
};

class listener {
 public:
  /// Listens at `tcp://HOST:PORT` (port 0: a free one) or `unix://PATH`.
  static result<listener, setup_error> open(std::string_view url);

  /// co_await gives result<byte_stream>. While the process is out of descriptors it waits and tries again.
  detail::accept_operation accept() const { return detail::accept_operation(core_); }
  std::string url() const;  // with the real port
  void close() const noexcept;

 private:
  explicit listener(detail::socket_handle<detail::listener_core> core) noexcept : core_(std::move(core)) {}
  detail::socket_handle<detail::listener_core> core_;
};

}  // namespace troupe
